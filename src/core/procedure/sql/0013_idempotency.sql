-- First answers to requests with an Idempotency-Key (core/procedure/idempotency.h).
create table idempotency_answers (
	scope bytea primary key check (octet_length(scope) = 32),
	fingerprint bytea not null check (octet_length(fingerprint) = 32),
	status smallint not null,
	content_type text,
	body bytea not null,
	stored_at timestamptz not null default now()
);
create index idempotency_answers_age on idempotency_answers (stored_at);
comment on table idempotency_answers is 'First answers to requests with an Idempotency-Key; written with the change they tell of';
comment on column idempotency_answers.scope is 'Hash of caller, credential, procedure and key';
comment on column idempotency_answers.fingerprint is 'Keyed hash of the input';
comment on column idempotency_answers.status is 'HTTP status of the answer';
comment on column idempotency_answers.content_type is 'Of the body; null: there is none';
comment on column idempotency_answers.body is 'Encrypted under a key made of credential and Idempotency-Key';
comment on column idempotency_answers.stored_at is 'Start of the transaction; kept for 24 hours from then';
