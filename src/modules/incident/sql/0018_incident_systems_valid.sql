-- What incidents named before 0017_incident_systems.sql. Reads and writes go on meanwhile.
alter table incident_systems validate constraint incident_systems_system_id_fkey;
