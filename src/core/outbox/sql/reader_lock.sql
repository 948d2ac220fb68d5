-- One node at a time does a reader's work. No row lock: that would give the transaction an id, and hold back
-- every reader of the outbox until it ends.
-- $1 name
-- columns: locked
select pg_try_advisory_xact_lock(hashtextextended('events.reader.' || $1, 0)) as locked
