-- Bounds the waits for locks of this transaction.
-- $1 milliseconds
select set_config('lock_timeout', $1, true)
