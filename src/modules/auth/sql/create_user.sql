-- Makes a user.
-- $1 id uuid, $2 name, $3 role, $4 password_hash, $5 actor or null
-- Columns: json, the user as the API shows it.
with made as (
	insert into users (id, name, role, password_hash, created_by)
	values ($1::uuid, $2, $3, $4, $5)
	returning *
), told as (
	insert into events (kind, subject, action, next, actor)
	select 'auth.user.created', id::text, 'created', jsonb_build_object('name', name, 'role', role), $5
	from made
)
select jsonb_strip_nulls(jsonb_build_object(
	'id', id,
	'name', name,
	'role', role,
	'createdAt', tocsin_timestamp(created_at),
	'createdBy', created_by,
	'updatedAt', tocsin_timestamp(updated_at))) as json
from made
