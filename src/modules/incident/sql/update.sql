-- Changes an incident; needs lock.sql before it. What is as it was is not told. The systems given replace
-- all others; those that stay keep their row.
--
-- It takes no dedupe key. A deduped create that runs at this moment looks either before this commits, and
-- counts as the earlier one, or after it, and finds what is written here.
--
-- $1 incident; $2 title, null: as it is; $3 description; $4 whether it is given; $5 severity, null: as it is;
-- $6 suppressNotifications, null: as it is; $7 health override; $8 whether it is given;
-- $9 systems, distinct, null: as they are; $10 refuse systems that the catalog does not know; $11 actor
-- columns: unknown, a JSON array of refused systems (nothing is changed then) or null
with before as materialized (
	select i.*, coalesce($2, i.title) as next_title,
		case when $4::boolean then $3 else i.description end as next_description,
		coalesce($5::incident_severity, i.severity) as next_severity,
		coalesce($6::boolean, i.suppress_notifications) as next_suppress,
		case when $8::boolean then $7::incident_health else i.health_override end as next_health,
		o.systems, coalesce($9::text[], o.systems) as next_systems,
		case when $10::boolean then
			(select json_agg(m.system_id order by m.position)
				from unnest($9::text[]) with ordinality as m (system_id, position)
				where not exists (select from systems s where s.id = m.system_id)) end as unknown
	from incidents i, lateral (select array(select s.system_id from incident_systems s
		where s.incident_id = i.id order by s.position, s.system_id)::text[] as systems) o
	where i.id = $1::uuid
), wanted as materialized (
	select *, not (systems @> next_systems and systems <@ next_systems) as has_other_systems
	from before
	where unknown is null
		and (title, description, severity, suppress_notifications, health_override, systems) is distinct from
			(next_title, next_description, next_severity, next_suppress, next_health, next_systems)
), turned as (
	update incidents i set title = w.next_title, description = w.next_description, severity = w.next_severity,
		suppress_notifications = w.next_suppress, health_override = w.next_health, updated_at = now()
	from wanted w where i.id = w.id
), member as materialized (
	select w.id as incident_id, m.system_id, w.status <> 'resolved' as is_open, m.position
	from wanted w, unnest(w.next_systems) with ordinality as m (system_id, position)
	where w.systems <> w.next_systems
), discovered as (
	-- In order, as open_batch.sql does it.
	insert into systems (id, name, discovered)
	select distinct system_id collate "C", system_id, true from member order by 1
	on conflict do nothing
), removed as (
	delete from incident_systems s using wanted w
	where s.incident_id = w.id and s.system_id <> all (w.next_systems)
), placed as (
	insert into incident_systems (incident_id, system_id, is_open, position)
	select incident_id, system_id, is_open, position from member
	on conflict (incident_id, system_id) do update set position = excluded.position
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select case when w.has_other_systems or w.severity <> w.next_severity then 'incident.updated'
			else 'incident.lifecycle.changed' end,
		w.id, 'updated', w.next_systems,
		incident_state(w.status, w.severity, w.title, w.description, w.suppress_notifications,
			w.health_override, w.systems),
		incident_state(w.status, w.next_severity, w.next_title, w.next_description, w.next_suppress,
			w.next_health, w.next_systems), $11
	from wanted w
)
select unknown from before
