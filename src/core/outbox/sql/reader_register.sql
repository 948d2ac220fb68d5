-- Makes a reader's place, unless it has one.
-- $1 name; $2 whether it begins now, rather than with the oldest event there is
insert into event_readers (name, transaction, position)
select $1, coalesce(newest.transaction, '0'), coalesce(newest.sequence, 0)
from (select) as always left join (
	select transaction, sequence from events
	where $2::boolean and transaction < pg_snapshot_xmin(pg_current_snapshot())
	order by transaction desc, sequence desc limit 1) as newest on true
on conflict (name) do nothing
