-- Locks the rows of every open incident that this batch may join, keep or resolve, in order of id, and leaves their ids for
-- the statements that follow: one that somebody reopens meanwhile is not held, and is left alone.
--
-- The keys of systems do not do that: an incident may be about several systems, and people resolve
-- incidents without a key. Without these rows, two batches that each resolve one of an incident's last two
-- alerts would each see the other's still firing; and an alert could join an incident while it is being resolved.
-- The lock is in a statement of its own: what the next ones read is then younger than the lock.
--
-- $1 sources, $2 dedup keys, $3 system ids, $4 index of each one's key in tocsin.locked (from 1)
with item as (
	select *
	from unnest($1::text[], $2::text[], $3::text[], $4::integer[])
		as i (source, dedup_key, system_id, key)
	where ((select current_setting('tocsin.locked')::boolean[]))[key]
), held as materialized (
	select id
	from incidents
	where status <> 'resolved'
		and id in (
			select a.incident_id
			from item
			join alerts a using (source, dedup_key)
			union all
			select s.incident_id
			from item
			join incident_systems s on s.system_id = item.system_id and s.is_open)
	order by id
	for no key update
)
select set_config('tocsin.held', coalesce(array_agg(id)::text, '{}'), true) from held
