-- Edits an update; needs lock.sql before it. If something really changes, the old version goes to the edit
-- history, and the incident's status becomes that of its newest update that carries one. Times are shown to
-- the millisecond, so that one which differs only below that is the same.
-- $1 incident; $2 update; $3 message, null: as it is; $4 status; $5 whether it is given; $6 visibility, null: as
-- it is; $7 createdAt, null: as it is; $8 most versions an edit history may have; $9 actor; $10 most bytes a timeline
-- may have
-- columns: conflict: full, timeline or null; no row if the incident has no such update
with before as materialized (
	select u.incident_id, u.id, v.*, (v.next_message, v.next_change, v.next_visibility, v.next_created_at)
			is distinct from (u.message, u.status_change, u.visibility, u.created_at) as is_edit,
		case when jsonb_array_length(u.edit_history) >= $8::int then 'full'
			when incident_timeline_size(u.incident_id) + octet_length(incident_update_version(u)::text)
				+ octet_length(v.next_message) - octet_length(u.message) > $10::bigint
			then 'timeline' end as refusal
	from incident_updates u, lateral (select coalesce($3, u.message) as next_message,
		case when $5::boolean then $4::incident_status else u.status_change end as next_change,
		coalesce($6::incident_visibility, u.visibility) as next_visibility,
		case when date_trunc('milliseconds', $7::timestamptz) <> date_trunc('milliseconds', u.created_at)
			then $7::timestamptz else u.created_at end as next_created_at) v
	where u.incident_id = $1::uuid and u.id = $2::uuid
), edited as (
	update incident_updates u set message = b.next_message, status_change = b.next_change,
		visibility = b.next_visibility, created_at = b.next_created_at, edited_at = clock_timestamp(),
		edit_history = u.edit_history || incident_update_version(u)
	from before b
	where u.incident_id = b.incident_id and u.id = b.id and b.is_edit and b.refusal is null
	returning u.id
), newest as (
	select s.status_change
	from (select o.created_at, o.id, o.status_change from incident_updates o
			where o.incident_id = $1::uuid and o.id <> $2::uuid
		union all select b.next_created_at, b.id, b.next_change from before b) s
	where s.status_change is not null
	order by s.created_at desc, s.id desc limit 1
), wanted as materialized (
	select i.id, i.status, i.severity, coalesce((select status_change from newest), i.status) as next_status,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id) as systems
	from incidents i where i.id = $1::uuid and exists (select from edited)
), turned as (
	update incidents i set status = w.next_status, updated_at = now(),
		resolved_at = case when w.next_status = 'resolved' then now() end
	from wanted w where i.id = w.id and w.next_status <> w.status
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select incident_event_kind(w.status, w.next_status, 'incident.lifecycle.changed'), w.id,
		incident_event_action(w.status, w.next_status), w.systems,
		jsonb_build_object('status', w.status, 'severity', w.severity, 'updateId', $2::uuid),
		jsonb_build_object('status', w.next_status, 'severity', w.severity, 'updateId', $2::uuid), $9
	from wanted w
)
select case when is_edit then refusal end as conflict from before
