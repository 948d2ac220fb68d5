-- Notes that a source's key was used, unless somebody just did: nobody waits for another's note.
-- $1 id
update alert_sources
set last_used_at = now()
where id in (
	select id from alert_sources
	where id = $1::uuid and (last_used_at is null or last_used_at < now() - interval '1 minute')
	for no key update skip locked)
