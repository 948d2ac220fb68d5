-- One node at a time removes what is old, and only until the piece is committed.
-- columns: locked
select pg_try_advisory_xact_lock(hashtextextended('events.retention', 0)) as locked
