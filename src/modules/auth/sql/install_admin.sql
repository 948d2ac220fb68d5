-- Makes the admin key the operator chose, unless its id is taken.
-- $1 id uuid, $2 secret_hash as \x hex
insert into api_keys (id, name, role, secret_hash)
values ($1::uuid, 'admin (TOCSIN_ADMIN_KEY)', 'admin', $2::bytea)
on conflict (id) do nothing
