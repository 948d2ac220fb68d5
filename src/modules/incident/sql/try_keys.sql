-- Tries every key's advisory lock, without waiting, until the end of the transaction, and leaves the
-- answers for the next statement of the transaction (open_batch.sql), whose snapshot is then younger
-- than the locks: looking for open incidents in this one would see what was there before them.
-- A plan for these very arrays would not be better than the one for any, and costs milliseconds.
-- $1 keys, text[], distinct
select set_config('plan_cache_mode', 'force_generic_plan', true),
	set_config('tocsin.locked',
		array_agg(pg_try_advisory_xact_lock(hashtextextended(key, 0)) order by ordinal)::text, true)
from unnest($1::text[]) with ordinality as k (key, ordinal)
