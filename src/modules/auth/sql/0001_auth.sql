-- API keys. A key's secret is never stored, only its hash; a row is never deleted, so that its name can
-- still be told when an old change names it as actor.
create table api_keys (
	id uuid primary key,
	name text not null check (char_length(name) between 1 and 100),
	role text not null check (role in ('admin', 'manager', 'viewer')),
	secret_hash bytea not null check (octet_length(secret_hash) = 32),
	created_at timestamptz not null default clock_timestamp(),
	created_by text,
	last_used_at timestamptz,
	revoked_at timestamptz
);

create index api_keys_newest on api_keys (created_at desc, id desc);

comment on table api_keys is 'API keys: tocsin_<id>_<secret>; rows are revoked, never deleted';
comment on column api_keys.id is 'Public part of the key';
comment on column api_keys.name is 'What people call it';
comment on column api_keys.role is 'Which access rules it has';
comment on column api_keys.secret_hash is 'BLAKE2b-256 of the id and the 32 secret bytes';
comment on column api_keys.created_at is 'When it was made';
comment on column api_keys.created_by is 'Actor who made it; null: the command line or the first start';
comment on column api_keys.last_used_at is 'When a node last looked it up, to about a minute';
comment on column api_keys.revoked_at is 'When it stopped working; null while it works';
