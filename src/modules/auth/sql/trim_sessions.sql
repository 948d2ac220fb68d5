-- Ends the oldest sessions of a user beyond a bound, and removes some that ended by themselves.
-- $1 user uuid, $2 most sessions of a user
-- Columns: told, how many nodes may still know them.
with surplus as (
	select id from sessions
	where user_id = $1::uuid
	order by created_at desc, id desc
	offset $2::integer
), expired as (
	select id from sessions
	where expires_at <= now()
	order by expires_at
	limit 100
	for update skip locked
), gone as (
	delete from sessions
	where id in (select id from surplus union select id from expired)
	returning id
)
select count(pg_notify('tocsin', 'auth:' || id)) as told from gone
