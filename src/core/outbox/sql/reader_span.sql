-- What a reader has to do next: the events after its place, as far as nothing can come before them any more.
-- $1 name; $2 most events
-- columns: transaction, sequence of its place; transaction, sequence of the last event; count; no row if
-- there is nothing to do
with reader as materialized (
	select transaction, position from event_readers where name = $1
), unread as materialized (
	select e.transaction, e.sequence from events e
	where (e.transaction, e.sequence)
			> ((select transaction from reader), (select position from reader))
		and e.transaction < pg_snapshot_xmin(pg_current_snapshot())
	order by e.transaction, e.sequence limit $2::integer
)
select r.transaction, r.position, last.transaction, last.sequence, (select count(*) from unread) as count
from reader r,
	(select transaction, sequence from unread order by transaction desc, sequence desc limit 1) as last
