-- Deletes an update; needs lock.sql before it. The incident's status becomes that of its newest update that
-- carries one; it stays if none does.
-- $1 incident; $2 update; $3 actor
-- columns: conflict: null; no row if the incident has no such update
with gone as (
	delete from incident_updates where incident_id = $1::uuid and id = $2::uuid returning id
), newest as (
	select o.status_change from incident_updates o
	where o.incident_id = $1::uuid and o.id <> $2::uuid and o.status_change is not null
	order by o.created_at desc, o.id desc limit 1
), wanted as materialized (
	select i.id, i.status, i.severity, coalesce((select status_change from newest), i.status) as next_status,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id) as systems
	from incidents i where i.id = $1::uuid and exists (select from gone)
), turned as (
	update incidents i set status = w.next_status, updated_at = now(),
		resolved_at = case when w.next_status = 'resolved' then now() end
	from wanted w where i.id = w.id and w.next_status <> w.status
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select incident_event_kind(w.status, w.next_status, 'incident.lifecycle.changed'), w.id,
		incident_event_action(w.status, w.next_status), w.systems,
		jsonb_build_object('status', w.status, 'severity', w.severity, 'updateId', $2::uuid),
		jsonb_build_object('status', w.next_status, 'severity', w.severity), $3
	from wanted w
)
select null::text as conflict from gone
