-- Lets one node at a time look for an admin key and make it; held until the transaction ends.
-- The lock is in a statement of its own: the next one's snapshot is then younger than the lock.
select pg_advisory_xact_lock(hashtextextended('auth.ensure-admin', 0))
