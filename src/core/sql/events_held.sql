-- Whether there are events that wait for an older transaction to end.
-- columns: held
select exists (select from events
	where transaction >= pg_snapshot_xmin(pg_current_snapshot())) as held
