-- Events of one incident in the order of its changes.
--
-- A transaction gets its number before it has waited for a row: of two that change one incident, the one with the lower
-- number may be the later. So an event counts from the newest transaction that was over when the statement which wrote it
-- began, if that is later than its own. Whoever held the row before is over by then, as the row is locked by a statement
-- of its own: the later change has the greater pair (transaction, sequence), or the same transaction and the greater
-- sequence, which is drawn while the row is held.
--
-- Nothing else changes in what 0002_events.sql says: the number is that of a transaction, never less than the writer's own.
-- So while the writer runs it is not below pg_snapshot_xmin, and later it is below as soon as older ones are over.
alter table events alter column transaction set default
	case when pg_snapshot_xmax(pg_current_snapshot()) > pg_current_xact_id()
		then (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8
		else pg_current_xact_id() end;
comment on column events.transaction is
	'The one that wrote it, or the newest that was over before, if that is later; readers stay below pg_snapshot_xmin';
