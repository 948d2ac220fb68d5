-- Removes some of the oldest entries: those older than so many seconds.
-- $1 seconds; $2 most entries
-- columns: count of those removed
with oldest as materialized (
	select sequence, time from audit order by sequence limit $2::integer
), gone as (
	delete from audit
	where sequence = any (array(
		select sequence from oldest where time < now() - make_interval(secs => $1::float8)))
	returning 1
)
select count(*) from gone
