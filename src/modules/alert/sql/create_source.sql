-- Makes a source.
-- $1 id; $2 name; $3 routing_key_hash as \x hex; $4 actor, null: the command line
-- columns: json, the source as the API shows it, without its key; no row if the name is taken
with made as (
	insert into alert_sources (id, name, routing_key_hash, created_by)
	values ($1::uuid, $2, $3::bytea, $4)
	on conflict do nothing
	returning id, name, created_at, created_by
), told as (
	insert into events (kind, subject, action, next, actor)
	select 'alert.source.created', id, 'created', jsonb_build_object('name', name), $4
	from made
)
select jsonb_strip_nulls(jsonb_build_object(
	'id', id,
	'name', name,
	'createdAt', tocsin_timestamp(created_at),
	'createdBy', created_by)) as json
from made
