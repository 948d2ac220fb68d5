-- Stores answers under their Idempotency-Keys, in the transaction of what they tell of. A key that has an
-- answer is left out of what is returned; one about to get one, in another transaction, is waited for. In order,
-- so that two transactions with the same keys cannot wait for each other.
-- $1 scopes; $2 fingerprints; $3 statuses; $4 content types, null: no body; $5 bodies, encrypted; for all: $6
-- seconds answers are kept
-- columns: scope, of those stored
insert into idempotency_answers as a (scope, fingerprint, status, content_type, body)
select n.* from unnest($1::bytea[], $2::bytea[], $3::smallint[], $4::text[], $5::bytea[])
	as n (scope, fingerprint, status, content_type, body)
order by n.scope
on conflict (scope) do update set fingerprint = excluded.fingerprint, status = excluded.status,
	content_type = excluded.content_type, body = excluded.body, stored_at = excluded.stored_at
	where a.stored_at <= now() - make_interval(secs => $6::float8)
returning a.scope
