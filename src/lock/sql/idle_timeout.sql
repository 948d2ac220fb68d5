-- A fenced transaction idle for longer is ended by the server: it may not keep the next holder out.
-- $1 milliseconds
select set_config('idle_in_transaction_session_timeout', $1, true)
