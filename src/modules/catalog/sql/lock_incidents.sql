-- Holds the rows of every incident of a system, in order of id, waiting for them: first step of a deletion.
-- $1 system
select id from incidents
where id in (select s.incident_id from incident_systems s where s.system_id = $1)
order by id
for no key update
