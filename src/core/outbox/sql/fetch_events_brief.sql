-- The same events as fetch_events.sql gives, without what only streams need: making that costs more than the rest.
-- $1 transaction; $2 sequence; $3 limit
-- columns: transaction, sequence, kind, subject
select e.transaction, e.sequence, e.kind, e.subject
from events e
where (e.transaction, e.sequence) > ($1::xid8, $2::bigint)
	and e.transaction < pg_snapshot_xmin(pg_current_snapshot())
order by e.transaction, e.sequence limit $3::integer
