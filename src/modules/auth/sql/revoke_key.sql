-- Revokes a key, once, and tells every node when this commits.
-- $1 id uuid, $2 actor or null
-- Columns: told, one row if there is such a key.
with found as materialized (
	select id, name, role, revoked_at from api_keys where id = $1::uuid for update
), revoked as (
	update api_keys k
	set revoked_at = clock_timestamp()
	from found f
	where k.id = f.id and f.revoked_at is null
	returning k.id
), told as (
	insert into events (kind, subject, action, previous, actor)
	select 'auth.key.revoked', f.id::text, 'deleted', jsonb_build_object('name', f.name, 'role', f.role), $2
	from found f join revoked r on r.id = f.id
)
select pg_notify('tocsin', 'auth:' || id) as told from found
