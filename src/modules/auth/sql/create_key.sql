-- Makes a key.
-- $1 id uuid, $2 name, $3 role, $4 secret_hash as \x hex, $5 actor or null
-- Columns: json, the key as the API shows it.
with made as (
	insert into api_keys (id, name, role, secret_hash, created_by)
	values ($1::uuid, $2, $3, $4::bytea, $5)
	returning *
), told as (
	insert into events (kind, subject, action, next, actor)
	select 'auth.key.created', id::text, 'created', jsonb_build_object('name', name, 'role', role), $5
	from made
)
select jsonb_strip_nulls(jsonb_build_object(
	'id', id,
	'name', name,
	'role', role,
	'createdAt', tocsin_timestamp(created_at),
	'createdBy', created_by)) as json
from made
