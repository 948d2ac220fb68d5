-- Sets the session's timeouts; SET after connecting, because PgBouncer refuses them at start-up.
-- $1 idle_in_transaction_session_timeout in milliseconds, or NULL: leave it
-- $2 lock_timeout in milliseconds, or NULL: leave it
select
    case when $1::text is not null then set_config('idle_in_transaction_session_timeout', $1, false) end,
    case when $2::text is not null then set_config('lock_timeout', $2, false) end
