-- Ends a session; every node is told when this commits.
-- $1 id uuid, $2 actor
-- Columns: told, one row if there was such a session.
with gone as (
	delete from sessions where id = $1::uuid returning id, user_id
), told as (
	insert into events (kind, subject, action, previous, actor)
	select 'auth.session.ended', id::text, 'deleted', jsonb_build_object('userId', user_id), $2 from gone
)
select pg_notify('tocsin', 'auth:' || id) as told from gone
