-- Revokes a source's key for good, once; its name is free again. What is revoked already is not told again.
-- $1 id; $2 actor, null: the command line
-- columns: id; no row if there is no such source
with revoked as (
	update alert_sources
	set revoked_at = clock_timestamp()
	where id = $1::uuid and revoked_at is null
	returning id, name
), told as (
	insert into events (kind, subject, action, previous, actor)
	select 'alert.source.revoked', id, 'revoked', jsonb_build_object('name', name), $2
	from revoked
)
select id from alert_sources where id = $1::uuid
