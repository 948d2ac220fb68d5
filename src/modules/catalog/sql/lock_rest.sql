-- Holds the incidents that were opened between the first two steps of the end of a deletion, without waiting: who
-- holds one of them may be waiting for the system's row. Leaves the ids of all for leave_incidents.sql.
-- $1 system; $2 most resolved incidents
-- columns: complete: whether all incidents of the system are held; held: their ids
with held as materialized (
	select id from incidents
	where id in (
		select s.incident_id from incident_systems s where s.system_id = $1 and s.is_open
		union all
		(select s.incident_id from incident_systems s where s.system_id = $1 and not s.is_open
			order by s.incident_id limit $2::bigint))
	for no key update skip locked
)
select not exists (select from incident_systems s
		where s.system_id = $1 and s.incident_id not in (select id from held)) as complete,
	(select set_config('tocsin.leaving', coalesce(array_agg(id)::text, '{}'), true) from held) as held
