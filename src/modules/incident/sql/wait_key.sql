-- Like try_keys.sql for one key, but waits for it.
-- $1 key
select pg_advisory_xact_lock(hashtextextended($1, 0)), set_config('tocsin.locked', '{t}', true)
