-- Sets what is the session's own; SET after connecting, because PgBouncer refuses it at start-up. NULL: leave it.
-- $1 idle_in_transaction_session_timeout in milliseconds
-- $2 lock_timeout in milliseconds
-- $3 plan_cache_mode
-- $4 enable_seqscan
select
    case when $1::text is not null then set_config('idle_in_transaction_session_timeout', $1, false) end,
    case when $2::text is not null then set_config('lock_timeout', $2, false) end,
    case when $3::text is not null then set_config('plan_cache_mode', $3, false) end,
    case when $4::text is not null then set_config('enable_seqscan', $4, false) end
