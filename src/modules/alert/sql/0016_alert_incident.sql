-- The alerts that were there before 0014_alert_end.sql. Reads and writes go on meanwhile.
alter table alerts validate constraint alerts_incident_id_fkey;
