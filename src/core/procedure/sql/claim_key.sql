-- Claims an Idempotency-Key until the end of the transaction; false: a request with it is running.
-- $1 scope
-- columns: claimed
select pg_try_advisory_xact_lock(hashtextextended('tocsin.idempotency:' || $1, 0)) as claimed
