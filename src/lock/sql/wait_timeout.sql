-- Bounds every wait for a lock in this transaction by what is left of the caller's wait.
-- $1 milliseconds
select set_config('lock_timeout', $1, true)
