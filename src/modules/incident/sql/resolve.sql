-- Resolves an open incident, with an update that says so; changes nothing if it is resolved. Needs lock.sql
-- before it.
-- $1 incident; $2 id of the update; $3 message, null: a sentence of ours; $4 actor; $5 name
with before as materialized (
	select i.id, i.status, i.severity,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position) as systems
	from incidents i where i.id = $1::uuid and i.status <> 'resolved'
), turned as (
	update incidents i set status = 'resolved', updated_at = now(), resolved_at = now()
	from before b where i.id = b.id
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.resolved', id, 'resolved', systems,
		jsonb_build_object('status', status, 'severity', severity),
		jsonb_build_object('status', 'resolved', 'severity', severity, 'updateId', $2::uuid), $4
	from before
)
insert into incident_updates (incident_id, id, message, status_change, created_by, created_by_name)
select id, $2::uuid, coalesce($3, 'The incident is resolved.'), 'resolved', $4, $5 from before
