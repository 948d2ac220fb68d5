-- Moves a reader's place.
-- $1 name; $2 transaction; $3 sequence
update event_readers set transaction = $2::xid8, position = $3::bigint, updated_at = clock_timestamp()
where name = $1
