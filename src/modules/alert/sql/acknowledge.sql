-- Notes that somebody has taken up firing alerts of the batch. The first of an incident's alerts to be
-- acknowledged adds an update, and changes no status: that somebody looks is what `investigating` says, and
-- nobody said more. lock_incidents.sql holds the incidents' rows.
-- $1 sources, $2 dedup keys, $3 as many new ids for updates, $4 actors, $5 their names
with item as (
	select *
	from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[]) with ordinality
		as i (source, dedup_key, update_id, actor, actor_name, place)
), noted as (
	update alerts a
	set acknowledged_at = now(),
		last_seen = now()
	from item i
	where a.source = i.source and a.dedup_key = i.dedup_key and a.state = 'firing'
	returning a.incident_id, i.update_id, i.actor, i.actor_name, i.place
), first as (
	select distinct on (n.incident_id) n.*, i.status, i.severity
	from noted n
	join incidents i on i.id = n.incident_id
	where not exists (
		select from alerts o
		where o.incident_id = n.incident_id and o.state = 'firing' and o.acknowledged_at is not null)
	order by n.incident_id, n.place
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.lifecycle.changed', incident_id, 'commented',
		array(select s.system_id from incident_systems s
			where s.incident_id = first.incident_id order by s.position, s.system_id),
		jsonb_build_object('status', status, 'severity', severity),
		jsonb_build_object('status', status, 'severity', severity, 'updateId', update_id), actor
	from first
)
insert into incident_updates (incident_id, id, message, created_by, created_by_name)
select incident_id, update_id, 'Acknowledged: somebody has taken this up.', actor, actor_name
from first
