-- What became of the events after a position that somebody else remembers.
-- $1 transaction; $2 sequence
-- columns: is_known: the position can be one of this database, and nothing after it was removed;
-- transaction, sequence: what was removed last
select (h.transaction, h.position) <= ($1::xid8, $2::bigint)
		and $1::xid8 < pg_snapshot_xmax(pg_current_snapshot()) as is_known,
	h.transaction, h.position as sequence
from event_horizon h
