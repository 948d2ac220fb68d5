-- Changes what is given of a user. A new password ends the sessions, but for one; whatever changed, every
-- node forgets who it knows, and ends the user's streams, when this commits. Needs lock_user.sql before it.
-- $1 id uuid, $2 name or null, $3 role or null, $4 password_hash or null, $5 actor or null,
-- $6 session uuid that stays, or null
-- Columns: json, the user as the API shows it; name; told.
with before as materialized (
	select * from users where id = $1::uuid
), after as (
	update users u
	set name = coalesce($2, b.name),
		role = coalesce($3, b.role),
		password_hash = coalesce($4, b.password_hash),
		password_version = b.password_version + case when $4 is null then 0 else 1 end,
		updated_at = case when $4 is null and coalesce($2, b.name) = b.name and coalesce($3, b.role) = b.role
			then b.updated_at else clock_timestamp() end
	from before b
	where u.id = b.id
	returning u.*
), ended as (
	delete from sessions
	where user_id = $1::uuid and $4 is not null and id is distinct from $6::uuid
), told as (
	insert into events (kind, subject, action, previous, next, actor)
	select 'auth.user.updated', a.id::text, 'updated',
		jsonb_build_object('name', b.name, 'role', b.role),
		jsonb_build_object('name', a.name, 'role', a.role)
			|| case when $4 is null then '{}' else '{"passwordChanged": true}'::jsonb end,
		$5
	from before b, after a
	where a.updated_at <> b.updated_at
)
select jsonb_strip_nulls(jsonb_build_object(
		'id', id,
		'name', name,
		'role', role,
		'createdAt', tocsin_timestamp(created_at),
		'createdBy', created_by,
		'updatedAt', tocsin_timestamp(updated_at),
		'lastLoginAt', tocsin_timestamp(last_login_at))) as json,
	name,
	pg_notify('tocsin', 'auth:user:' || id) as told
from after
