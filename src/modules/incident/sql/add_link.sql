-- Adds a link; needs lock.sql before it. Links may be internal, and events are for everybody: they name the
-- link and do not show it.
-- $1 incident; $2 id; $3 URL; $4 label; $5 visibility; $6 most links an incident may have; $7 actor
-- columns: conflict: url, full or null
with before as materialized (
	select i.id, i.status, i.severity,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id) as systems,
		case when exists (select from incident_links l where l.incident_id = i.id and l.url = $3) then 'url'
			when (select count(*) from incident_links l where l.incident_id = i.id) >= $6::bigint
			then 'full' end as conflict
	from incidents i where i.id = $1::uuid
), made as (
	insert into incident_links (incident_id, id, url, label, visibility)
	select id, $2::uuid, $3, $4, $5::incident_visibility from before where conflict is null
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.lifecycle.changed', id, 'updated', systems,
		jsonb_build_object('status', status, 'severity', severity),
		jsonb_build_object('status', status, 'severity', severity, 'linkId', $2::uuid), $7
	from before where conflict is null
)
select conflict from before
