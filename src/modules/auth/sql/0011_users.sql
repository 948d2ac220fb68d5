-- Users, their sessions, and the log-in attempts of everybody.
--
-- Secrets are never stored: of a password the argon2id hash, of a session's token a BLAKE2b hash, of an
-- attempt's name and address a SHA-256 (people type passwords into the wrong field).
create table users (
	id uuid primary key,
	name text not null check (char_length(name) between 1 and 100),
	role text not null check (role in ('admin', 'manager', 'viewer')),
	password_hash text not null check (char_length(password_hash) between 1 and 127),
	password_version integer not null default 1,
	created_at timestamptz not null default clock_timestamp(),
	created_by text,
	updated_at timestamptz not null default clock_timestamp(),
	last_login_at timestamptz
);
create unique index users_name on users (lower(name));
create index users_newest on users (created_at desc, id desc);
comment on table users is 'People who log in with a name and a password';
comment on column users.id is 'UUID version 7; as an actor user:<id>';
comment on column users.name is 'What they log in with; unique without regard to case';
comment on column users.role is 'Which access rules they have';
comment on column users.password_hash is 'argon2id, as libsodium writes it, parameters included';
comment on column users.password_version is 'Grows with each change of the password: a log-in that began before one fails';
comment on column users.created_at is 'When the user was made';
comment on column users.created_by is 'Actor who made it; null: the command line';
comment on column users.updated_at is 'Last change of name, role or password';
comment on column users.last_login_at is 'Last log-in; null: never';

create table sessions (
	id uuid primary key,
	user_id uuid not null references users (id) on delete cascade,
	secret_hash bytea not null check (octet_length(secret_hash) = 32),
	created_at timestamptz not null default clock_timestamp(),
	expires_at timestamptz not null
);
create index sessions_user on sessions (user_id, created_at desc);
create index sessions_expiry on sessions (expires_at);
comment on table sessions is 'Who is logged in; a row ends at its time, at log-out, and with the password';
comment on column sessions.id is 'Public part of the cookie';
comment on column sessions.user_id is 'Whose it is';
comment on column sessions.secret_hash is 'BLAKE2b-256 of the id and the 32 secret bytes of the cookie';
comment on column sessions.created_at is 'When the user logged in';
comment on column sessions.expires_at is 'When it ends by itself';

create table login_attempts (
	key bytea primary key check (octet_length(key) = 32),
	attempts integer not null check (attempts >= 0),
	started_at timestamptz not null
);
create index login_attempts_started on login_attempts (started_at);
comment on table login_attempts is 'Attempts to log in that have not succeeded, of all nodes; bounded, old rows go';
comment on column login_attempts.key is 'SHA-256 of "name:<name>" or "address:<address>", in lower case';
comment on column login_attempts.attempts is 'How many in the window; one that succeeds is taken out again';
comment on column login_attempts.started_at is 'When the window began';
