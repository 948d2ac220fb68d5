-- Whether positions are of another cluster: a dump was restored here, where transactions are counted anew.
-- columns: is_foreign
select exists (select from events
		where transaction >= pg_snapshot_xmax(pg_current_snapshot()))
	or exists (select from event_readers
		where transaction >= pg_snapshot_xmax(pg_current_snapshot()))
	or exists (select from event_horizon
		where transaction >= pg_snapshot_xmax(pg_current_snapshot())) as is_foreign
