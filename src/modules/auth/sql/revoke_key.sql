-- Revokes a key, once, and tells every node when this commits.
-- $1 id uuid
-- Columns: told, one row if there is such a key.
with revoked as (
	update api_keys
	set revoked_at = coalesce(revoked_at, clock_timestamp())
	where id = $1::uuid
	returning id
)
select pg_notify('tocsin', 'auth:' || id) as told
from revoked
