-- Bounds the wait for other nodes, and silences "already exists, skipping".
-- $1 longest wait for a lock, in milliseconds
SELECT set_config('lock_timeout', $1, true), set_config('client_min_messages', 'warning', true);
