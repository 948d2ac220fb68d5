-- Waits for the turn of this node to migrate; the lock goes with the transaction.
-- $1 lock key
SELECT pg_advisory_xact_lock(hashtextextended($1, 0));
