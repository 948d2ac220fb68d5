-- Makes the admin key the operator chose, unless its id is taken.
-- $1 id uuid, $2 secret_hash as \x hex
with made as (
	insert into api_keys (id, name, role, secret_hash)
	values ($1::uuid, 'admin (TOCSIN_ADMIN_KEY)', 'admin', $2::bytea)
	on conflict (id) do nothing
	returning id, name, role
)
insert into events (kind, subject, action, next)
select 'auth.key.created', id::text, 'created', jsonb_build_object('name', name, 'role', role) from made
