-- How far the slowest reader is behind: seconds since the oldest unread event, and how many are unread
-- (counting stops at a million). Without readers nothing waits: 0 and 0.
-- columns: seconds float8, count bigint
with slowest as (
	select transaction, position from event_readers order by transaction, position limit 1
)
select coalesce((select extract(epoch from clock_timestamp() - e.time)
		from slowest s, events e
		where (e.transaction, e.sequence) > (s.transaction, s.position)
		order by e.transaction, e.sequence limit 1), 0)::float8 as seconds,
	(select count(*) from (select 1
		from slowest s, events e
		where (e.transaction, e.sequence) > (s.transaction, s.position)
		limit 1000000) as unread) as count
