-- No incident loses a system without a word: a system goes only when no incident names it any more, however its row
-- was locked (../../catalog/deleter.h).
-- Both tables at once, in the order in which statements take them, and only for a moment: rows that are there are
-- looked at later (0018_incident_systems_valid.sql), when nobody waits for it.
lock table incident_systems, systems in access exclusive mode;
alter table incident_systems
	drop constraint incident_systems_system_id_fkey,
	add constraint incident_systems_system_id_fkey foreign key (system_id) references systems not valid;
comment on column incident_systems.system_id is
	'The system; is taken out of its incidents, which are told, before it can be deleted';
