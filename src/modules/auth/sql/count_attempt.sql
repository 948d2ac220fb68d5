-- Counts an attempt to log in, before it is made: so that many at once cannot get past the limit.
-- $1 who: 'name:<name>' or 'address:<address>', $2 limit, $3 window in seconds
-- Columns: admitted, wait_s (until the window ends; one that began after this transaction is no longer than others).
insert into login_attempts as a (key, attempts, started_at)
values (sha256(convert_to(tocsin_fold($1), 'UTF8')), 1, now())
on conflict (key) do update set
	attempts = case when a.started_at <= now() - make_interval(secs => $3::integer) then 1
		else least(a.attempts, $2::integer) + 1 end,
	started_at = case when a.started_at <= now() - make_interval(secs => $3::integer) then now()
		else a.started_at end
returning attempts <= $2::integer as admitted,
	least($3::integer, greatest(1, ceil(extract(epoch from
		started_at + make_interval(secs => $3::integer) - now()))))::integer as wait_s
