-- How far readers are behind: seconds since the oldest event they have not read, and how many those are
-- (counting stops at a million). Held events count: they are not read.
-- $1, $2 transaction and sequence this node has read; $3 most readers
-- columns: reader, seconds, count
select r.name as reader,
	coalesce((select extract(epoch from clock_timestamp() - e.time) from events e
		where (e.transaction, e.sequence) > (r.transaction, r.position)
		order by e.transaction, e.sequence limit 1), 0)::float8 as seconds,
	(select count(*) from (select from events e
		where (e.transaction, e.sequence) > (r.transaction, r.position)
		limit 1000000) as unread) as count
from (
	select 'live' as name, $1::xid8 as transaction, $2::bigint as position
	union all
	select name, transaction, position from event_readers
) as r
order by r.name <> 'live', r.transaction, r.position limit $3::integer
