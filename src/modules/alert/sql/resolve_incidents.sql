-- Resolves those incidents of the batch's resolved alerts that alerts opened and that have no firing
-- alert left: the incident, an update that says so, and its outbox row. Only those that lock_incidents.sql holds: one that was
-- reopened after it stays open.
-- $1 sources, $2 dedup keys of the resolved alerts, $3 as many new ids for updates, $4 actors, $5 their names
-- Columns, a row an incident: incident_id.
with reported as (
	select distinct on (a.incident_id) a.incident_id, r.actor, r.actor_name
	from unnest($1::text[], $2::text[], $4::text[], $5::text[]) with ordinality
		as r (source, dedup_key, actor, actor_name, place)
	join alerts a using (source, dedup_key)
	order by a.incident_id, r.place
), target as (
	select i.id, i.status, i.severity, r.actor, r.actor_name, row_number() over (order by i.id) as place
	from incidents i
	join reported r on r.incident_id = i.id
	where i.id = any ((select current_setting('tocsin.held')::uuid[])::uuid[])
		and exists (select from alert_incidents o where o.incident_id = i.id)
		and not exists (select from alerts a where a.incident_id = i.id and a.state = 'firing')
), resolved as (
	update incidents i
	set status = 'resolved', resolved_at = now(), updated_at = now()
	from target
	where i.id = target.id
), said as (
	insert into incident_updates (incident_id, id, message, status_change, created_by, created_by_name)
	select id, ($3::uuid[])[place], 'Resolved: every alert that opened or joined this incident has resolved.',
		'resolved', actor, actor_name
	from target
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.resolved', id, 'resolved',
		array(select s.system_id from incident_systems s
			where s.incident_id = target.id order by s.position, s.system_id),
		jsonb_build_object('status', status, 'severity', severity),
		jsonb_build_object('status', 'resolved', 'severity', severity, 'updateId', ($3::uuid[])[place]),
		actor
	from target
)
select id as incident_id from target
