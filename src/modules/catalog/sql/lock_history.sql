-- Holds the rows of some resolved incidents of a system, in order of id, waiting for them, and leaves their ids for
-- leave_incidents.sql.
-- $1 system; $2 most incidents
-- columns: count: how many the system had, up to the most; held: their ids
with looked as materialized (
	select s.incident_id from incident_systems s
	where s.system_id = $1 and not s.is_open
	order by s.incident_id limit $2::bigint
), held as materialized (
	select id from incidents where id in (select incident_id from looked) order by id for no key update
)
select (select count(*) from looked) as count,
	(select set_config('tocsin.leaving', coalesce(array_agg(id)::text, '{}'), true) from held) as held
