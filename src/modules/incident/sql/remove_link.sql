-- Removes a link; needs lock.sql before it.
-- $1 incident; $2 link; $3 actor
-- columns: conflict: null; no row if the incident has no such link
with gone as (
	delete from incident_links where incident_id = $1::uuid and id = $2::uuid returning incident_id, id
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.lifecycle.changed', i.id, 'updated',
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id),
		jsonb_build_object('status', i.status, 'severity', i.severity, 'linkId', g.id),
		jsonb_build_object('status', i.status, 'severity', i.severity), $3
	from gone g join incidents i on i.id = g.incident_id
)
select null::text as conflict from gone
