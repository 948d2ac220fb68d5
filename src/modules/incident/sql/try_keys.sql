-- Tries every key's advisory lock, without waiting, until the end of the transaction, and leaves the
-- answers for the next statement of the transaction (open_batch.sql), whose snapshot is then younger
-- than the locks: looking for open incidents in this one would see what was there before them.
-- $1 keys, text[], distinct
-- columns: locked, boolean[] as text, a key each
select set_config('tocsin.locked',
	array_agg(pg_try_advisory_xact_lock(hashtextextended(key, 0)) order by ordinal)::text, true) as locked
from unnest($1::text[]) with ordinality as k (key, ordinal)
