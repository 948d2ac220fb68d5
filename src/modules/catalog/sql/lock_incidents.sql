-- Holds the rows of a system's open incidents, and of some resolved ones, in order of id, waiting for them: first step
-- of the end of a deletion.
-- $1 system; $2 most resolved incidents
select id from incidents
where id in (
	select s.incident_id from incident_systems s where s.system_id = $1 and s.is_open
	union all
	(select s.incident_id from incident_systems s where s.system_id = $1 and not s.is_open
		order by s.incident_id limit $2::bigint))
order by id
for no key update
