-- Removes some of the oldest answers kept under Idempotency-Keys.
-- $1 seconds they are kept; $2 most rows
-- columns: count of those removed
with doomed as materialized (
	select scope from idempotency_answers
	where stored_at <= now() - make_interval(secs => $1::float8)
	order by stored_at limit $2::bigint for update skip locked
), gone as (
	delete from idempotency_answers where scope = any (array(select scope from doomed)) returning 1
)
select count(*) from gone
