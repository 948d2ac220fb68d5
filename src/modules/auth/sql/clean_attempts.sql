-- Removes attempts whose window is over, and the oldest ones beyond a bound; a thousand of each at most.
-- Rows in use are left to the next time.
-- $1 window in seconds, $2 most rows to keep
with expired as (
	select key from login_attempts
	where started_at <= now() - make_interval(secs => $1::integer)
	order by started_at
	limit 1000
	for update skip locked
), surplus as (
	select key from login_attempts
	order by started_at desc
	offset $2::bigint
	limit 1000
	for update skip locked
)
delete from login_attempts
where key in (select key from expired union select key from surplus)
