-- Removes some of the alerts that were reported resolved longest ago. One that is being reported is left for later.
-- $1 seconds since it was reported resolved; $2 most alerts
-- columns: count of those removed
with doomed as materialized (
	select ctid from alerts
	where state = 'resolved' and resolved_at < now() - make_interval(secs => $1::float8)
	order by resolved_at limit $2::bigint
	for update skip locked
), gone as (
	delete from alerts where ctid = any (array(select ctid from doomed)) returning 1
)
select count(*) from gone
