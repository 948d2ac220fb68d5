-- Makes the row of event_horizon where it was lost (tables restored one by one, say). What was removed before is then
-- unknown: everything before the oldest event counts as removed, so that who remembers less is told of a gap. An
-- event that is yet to be committed may be older still, but not than the oldest transaction.
insert into event_horizon (transaction, position)
select coalesce(o.transaction, pg_snapshot_xmin(pg_current_snapshot())), coalesce(o.sequence - 1, 0)
from (values (true)) as h (is_lost)
	left join (select transaction, sequence from events order by transaction, sequence limit 1) o
		on o.transaction < pg_snapshot_xmin(pg_current_snapshot())
on conflict do nothing
