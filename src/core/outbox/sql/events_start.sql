-- Where a node begins to read: some events back, but not before what was removed.
-- $1 how many events back
-- columns: transaction, sequence
select p.transaction, p.sequence
from (
	(select transaction, sequence from events
		where transaction < pg_snapshot_xmin(pg_current_snapshot())
		order by transaction desc, sequence desc offset $1::integer limit 1)
	union all
	select transaction, position from event_horizon
) as p (transaction, sequence)
order by p.transaction desc, p.sequence desc limit 1
