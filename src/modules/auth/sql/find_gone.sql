-- Keys and sessions that are no longer what a node took them for: revoked, ended, or of a user with another role.
-- $1 ids uuid[] of keys and sessions, $2 roles text[] that they had; null: none that the node knows
-- Columns: id.
select distinct held.id
from unnest($1::uuid[], $2::text[]) as held (id, role)
where not exists (
		select from api_keys k
		where k.id = held.id and k.role = held.role and k.revoked_at is null
	) and not exists (
		select from sessions s
		join users u on u.id = s.user_id
		where s.id = held.id and u.role = held.role and s.expires_at > clock_timestamp()
	)
