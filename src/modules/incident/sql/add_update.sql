-- Adds an update, and with it turns the incident's status; needs lock.sql before it.
-- $1 incident; $2 id of the update; $3 message; $4 status, null: as it is; $5 visibility; $6 actor; $7 name;
-- $8 most bytes a timeline may have
-- columns: conflict: timeline or null
with before as materialized (
	select i.id, i.status, i.severity, $4::incident_status as next_status,
		case when incident_timeline_size(i.id) + octet_length($3) > $8::bigint then 'timeline' end as conflict,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position) as systems
	from incidents i where i.id = $1::uuid
), turned as (
	update incidents i set status = b.next_status, updated_at = now(),
		resolved_at = case when b.next_status = 'resolved' then now() end
	from before b where i.id = b.id and b.next_status <> b.status and b.conflict is null
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select case when b.next_status = b.status or b.next_status is null then 'incident.lifecycle.changed'
			when b.next_status = 'resolved' then 'incident.resolved' else 'incident.updated' end,
		b.id,
		case when b.next_status = b.status or b.next_status is null then 'commented'
			when b.next_status = 'resolved' then 'resolved'
			when b.status = 'resolved' then 'reopened' else 'updated' end,
		b.systems, jsonb_build_object('status', b.status, 'severity', b.severity),
		jsonb_build_object('status', coalesce(b.next_status, b.status), 'severity', b.severity,
			'updateId', $2::uuid), $6
	from before b where b.conflict is null
), made as (
	insert into incident_updates
		(incident_id, id, message, status_change, visibility, created_by, created_by_name)
	select b.id, $2::uuid, $3, b.next_status, $5::incident_visibility, $6, $7
	from before b where b.conflict is null
)
select conflict from before
