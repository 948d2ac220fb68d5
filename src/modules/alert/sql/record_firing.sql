-- Writes the firing reports of a batch. Those that want an incident get the one that this batch has opened for
-- their system, else the oldest open one, which open_batch.sql has made sure of; the others keep theirs. An
-- older one can be there beside a new one: somebody gave it the system since, or reopened it.
-- $1 sources, $2 dedup keys, $3 system ids, $4 severities, $5 titles, $6 labels, $7 annotations (JSON),
-- $8 whether each wants an incident, $9 ids of the incidents this batch may have opened
-- Columns, a row an alert, in order: incident_id.
with item as (
	select i.*, case when i.wants then (
			select s.incident_id
			from incident_systems s
			where s.system_id = i.system_id and s.is_open
			order by s.incident_id = any ($9::uuid[]) desc, s.incident_id
			limit 1) end as incident_id
	from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
		$8::boolean[]) with ordinality
		as i (source, dedup_key, system_id, severity, title, labels, annotations, wants, place)
), opened as (
	insert into alert_incidents (incident_id)
	select distinct incident_id
	from item
	where incident_id = any ($9::uuid[])
	on conflict do nothing
), written as (
	insert into alerts as a
		(source, dedup_key, state, system_id, incident_id, severity, title, labels, annotations)
	select source, dedup_key, 'firing', system_id, incident_id, severity::incident_severity, title,
		labels::jsonb, annotations::jsonb
	from item
	order by source, dedup_key
	on conflict (source, dedup_key) do update
	set state = 'firing',
		system_id = excluded.system_id,
		incident_id = coalesce(excluded.incident_id, a.incident_id),
		severity = excluded.severity,
		title = excluded.title,
		labels = excluded.labels,
		annotations = excluded.annotations,
		last_seen = excluded.last_seen,
		resolved_at = null,
		-- Of this firing, and of this incident.
		acknowledged_at = case when a.state = 'firing' and excluded.incident_id is null
			then a.acknowledged_at end,
		count = a.count + 1
)
select incident_id from item order by place
