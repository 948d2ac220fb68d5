-- A new holder waits here until no fenced transaction of an earlier holder is left.
-- $1 key
select pg_advisory_xact_lock(hashtextextended('tocsin.fence:' || $1::text, 0))
