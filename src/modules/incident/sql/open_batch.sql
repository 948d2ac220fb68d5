-- Finds the oldest open incident of each request's key system, and opens one where there is none.
-- Needs try_keys.sql or wait_key.sql before it in the transaction: a request whose key was not locked is
-- left out of the answer.
--
-- An array element a request:
-- $1 ids; $2 titles; $3 descriptions; $4 severities; $5 suppressNotifications; $6 health overrides;
-- $7 systems, each the text of an array, distinct; $8 key systems, null: open one anyway;
-- $9 first messages, null: none; $10 ids of the first updates; $11 actors; $12 their names
-- For all: $13 refuse systems that the catalog does not know
-- columns: ordinal from 1; reused; unknown, a JSON array of refused systems or null; document
--
-- A request finds its own incident when it is tried again after a commit whose answer was lost: not reused.
with request as materialized (
	select r.*, r.system_ids::text[] as systems,
		(select s.incident_id from incident_systems s
			where s.system_id = r.key_system and s.is_open
			order by s.incident_id limit 1) as open_id,
		case when $13::boolean then
			(select json_agg(m.system_id order by m.position) from unnest(r.system_ids::text[])
				with ordinality as m (system_id, position)
				where not exists (select from systems s where s.id = m.system_id)) end as unknown
	from unnest($1::uuid[], $2::text[], $3::text[], $4::incident_severity[], $5::boolean[],
			$6::incident_health[], $7::text[], $8::text[], $9::text[], $10::uuid[],
			$11::text[], $12::text[])
		with ordinality as r (id, title, description, severity, suppress, health, system_ids,
			key_system, message, update_id, actor, actor_name, ordinal)
	where ((select current_setting('tocsin.locked')::boolean[]))[r.ordinal]
), fresh as materialized (
	select *, tocsin_uuid_time(id) as opened_at from request where open_id is null and unknown is null
), member as materialized (
	select f.id as incident_id, m.system_id, m.position
	from fresh f, unnest(f.systems) with ordinality as m (system_id, position)
), discovered as (
	-- In order, so that two transactions that discover the same systems cannot wait for each other. One that two
	-- requests name conflicts with itself, which is less work than to look for those.
	insert into systems (id, name, discovered)
	select system_id, system_id, true from member order by system_id collate "C"
	on conflict do nothing
), opened as (
	insert into incidents (id, title, description, severity, suppress_notifications, health_override,
		created_at, updated_at)
	select id, title, description, severity, suppress, health, opened_at, opened_at
	from fresh
), placed as (
	insert into incident_systems (incident_id, system_id, is_open, position)
	select incident_id, system_id, true, position from member
), said as (
	insert into incident_updates (incident_id, id, message, status_change, created_by, created_by_name)
	select id, update_id, message, 'investigating', actor, actor_name from fresh
	where message is not null
), told as (
	insert into events (kind, subject, action, systems, next, actor)
	select 'incident.created', id, 'created', systems,
		incident_opened_state(severity), actor
	from fresh
)
select ordinal, false as reused, null as unknown,
	incident_document(id, title, description, 'investigating', severity, suppress, health, opened_at, opened_at,
		null, systems) as document
from fresh
union all
select ordinal, open_id is not null and open_id <> id, unknown,
	(select d.document from incident_documents d where d.id = open_id)
from request where open_id is not null or unknown is not null
