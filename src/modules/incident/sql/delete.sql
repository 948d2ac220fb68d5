-- Deletes an incident with everything that belongs to it; needs lock.sql before it. What it was called is told: nobody
-- can look any more.
-- $1 incident; $2 actor
with told as (
	insert into events (kind, subject, action, systems, previous, actor)
	select 'incident.deleted', i.id, 'deleted',
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position),
		jsonb_build_object('status', i.status, 'severity', i.severity, 'title', i.title), $2
	from incidents i where i.id = $1::uuid
)
delete from incidents where id = $1::uuid
