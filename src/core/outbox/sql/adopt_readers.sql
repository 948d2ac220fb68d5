-- Before adopt_events.sql: each reader goes to just before the first event it has not read, in the order the
-- events will have then. It may read some again, and loses none.
update event_readers r set transaction = '0', position = coalesce(
	(select min(e.sequence) - 1 from events e
		where (e.transaction, e.sequence) > (r.transaction, r.position)),
	(select max(e.sequence) from events e), r.position)
