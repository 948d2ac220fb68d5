-- Waits for a key until the end of the transaction, or of the savepoint it was taken under.
-- $1 key
select pg_advisory_xact_lock(hashtextextended($1, 0))
