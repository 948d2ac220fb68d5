-- Writes the resolved reports of a batch.
-- $1 sources, $2 dedup keys
update alerts a
set state = 'resolved',
	last_seen = now(),
	resolved_at = now()
from unnest($1::text[], $2::text[]) as i (source, dedup_key)
where a.source = i.source and a.dedup_key = i.dedup_key and a.state = 'firing'
