-- The answer stored under an Idempotency-Key; in a statement after claim_key.sql, whose snapshot is younger.
-- $1 scope; $2 seconds answers are kept
-- columns: fingerprint, status, content_type, body
select fingerprint, status, content_type, body from idempotency_answers
where scope = $1::bytea and stored_at > now() - make_interval(secs => $2::float8)
