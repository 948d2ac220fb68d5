-- Deletes a user and all sessions; every node forgets who it knows, and ends the user's streams, when
-- this commits.
-- $1 id uuid, $2 actor or null
-- Columns: told, one row if there was such a user.
with gone as (
	delete from users where id = $1::uuid returning id, name, role
), told as (
	insert into events (kind, subject, action, previous, actor)
	select 'auth.user.deleted', id::text, 'deleted', jsonb_build_object('name', name, 'role', role), $2
	from gone
)
select pg_notify('tocsin', 'auth:user:' || id) as told from gone
