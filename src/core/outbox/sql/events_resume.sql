-- What became of the events after a position that somebody else remembers. A position is known by its event: one that a
-- database has lost, as after a failover to a standby that was behind, is soon older than what happens there since.
-- $1 transaction; $2 sequence
-- columns: is_there: the event itself is, and none after it was removed; is_horizon: it is the one that was removed
-- last; transaction, sequence: of that one
select (h.transaction, h.position) <= ($1::xid8, $2::bigint) and exists (select from events e
		where (e.transaction, e.sequence) = ($1::xid8, $2::bigint)) as is_there,
	(h.transaction, h.position) = ($1::xid8, $2::bigint) as is_horizon,
	h.transaction, h.position as sequence
from event_horizon h
