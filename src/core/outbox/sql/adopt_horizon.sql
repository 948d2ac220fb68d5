-- After adopt_events.sql: what was removed, in the same order.
update event_horizon set transaction = '0',
	position = coalesce((select min(sequence) - 1 from events), position)
