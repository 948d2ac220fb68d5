-- Makes a session, unless the user or the password that was checked is gone: the update waits for who
-- changes them, and then looks again.
-- $1 id uuid, $2 secret_hash as \x hex, $3 user uuid, $4 password_version, $5 hours
-- Columns: name, role, ends_ms (wall clock); one row if it was made.
with owner as (
	update users
	set last_login_at = clock_timestamp()
	where id = $3::uuid and password_version = $4::integer
	returning id, name, role
), made as (
	insert into sessions (id, user_id, secret_hash, expires_at)
	select $1::uuid, id, $2::bytea, clock_timestamp() + make_interval(hours => $5::integer) from owner
	returning id, user_id, expires_at
), told as (
	insert into events (kind, subject, action, next, actor)
	select 'auth.session.created', id::text, 'created', jsonb_build_object('userId', user_id),
		'user:' || user_id
	from made
)
select owner.name, owner.role, floor(extract(epoch from made.expires_at) * 1000)::bigint as ends_ms
from owner, made
