-- A key that works.
-- $1 id uuid
-- Columns: name, role, secret_hash as \x hex.
select name, role, secret_hash
from api_keys
where id = $1::uuid and revoked_at is null
