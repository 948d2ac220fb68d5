-- A session that has not ended, and whose it is.
-- $1 id uuid
-- Columns: user_id, name, role, secret_hash as \x hex, ends_ms (wall clock), left_ms.
select u.id as user_id, u.name, u.role, s.secret_hash,
	floor(extract(epoch from s.expires_at) * 1000)::bigint as ends_ms,
	ceil(extract(epoch from s.expires_at - clock_timestamp()) * 1000)::bigint as left_ms
from sessions s
join users u on u.id = s.user_id
where s.id = $1::uuid and s.expires_at > clock_timestamp()
