-- Whether positions are of another cluster: a dump was restored here, where transactions are counted anew. Of the
-- events the newest tells (see events_held.sql).
-- columns: is_foreign
select coalesce((select transaction >= pg_snapshot_xmax(pg_current_snapshot()) from events
		order by transaction desc, sequence desc limit 1), false)
	or exists (select from event_readers
		where transaction >= pg_snapshot_xmax(pg_current_snapshot()))
	or exists (select from event_horizon
		where transaction >= pg_snapshot_xmax(pg_current_snapshot())) as is_foreign
