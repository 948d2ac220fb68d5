-- Fenced work: from here to the end of its transaction no new holder gets past the fence.
-- $1 keys
select pg_advisory_xact_lock_shared(hashtextextended('tocsin.fence:' || key, 0))
from unnest($1::text[]) as key
