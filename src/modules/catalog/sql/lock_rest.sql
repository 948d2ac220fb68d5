-- Holds the incidents that were opened between the first two steps of a deletion, without waiting: who
-- holds one of them may be waiting for the system's row.
-- $1 system
-- columns: complete: whether all incidents of the system are held
with held as (
	select id from incidents
	where id in (select s.incident_id from incident_systems s where s.system_id = $1)
	for no key update skip locked
)
select (select count(*) from held) = (select count(*) from incident_systems s where s.system_id = $1)
	as complete
