-- Releases a session lock.
-- $1 key; column: was held
select pg_advisory_unlock(hashtextextended($1, 0))
