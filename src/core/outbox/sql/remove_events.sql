-- Removes some of the oldest events: those older than so many seconds that every reader has read. None while
-- event_horizon has no row to note it in.
-- $1 seconds; $2 most events
-- columns: count of those removed
with oldest as materialized (
	select ctid, transaction, sequence, time from events order by transaction, sequence limit $2::integer
), doomed as materialized (
	select o.ctid, o.transaction, o.sequence from oldest o
	where o.time < now() - make_interval(secs => $1::float8)
		and o.transaction < pg_snapshot_xmin(pg_current_snapshot())
		and not exists (select from event_readers r
			where (r.transaction, r.position) < (o.transaction, o.sequence))
		and exists (select from event_horizon)
), gone as (
	-- By their place, which rows that never change keep: a join might read all events.
	delete from events where ctid = any (array(select ctid from doomed))
), moved as (
	update event_horizon h set transaction = d.transaction, position = d.sequence
	from (select transaction, sequence from doomed
		order by transaction desc, sequence desc limit 1) as d
	where (h.transaction, h.position) < (d.transaction, d.sequence)
)
select count(*) from doomed
