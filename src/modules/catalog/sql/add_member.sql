-- Puts a system into a group, unless it is in too many; needs lock_system.sql before it. One that is in it
-- stays, and nothing is told.
-- $1 system; $2 group; $3 most groups a system may be in; $4 actor
-- columns: id, of the group; no row if there is no such group, or if it is in too many
with found as (
	select g.id, exists (select from catalog_members where system_id = $1 and group_id = g.id) as is_member
	from catalog_groups g where g.id = $2::uuid
), made as (
	insert into catalog_members (system_id, group_id)
	select $1, f.id from found f
	where not f.is_member
		and (select count(*) from catalog_members o where o.system_id = $1) < $3::bigint
	on conflict do nothing
	returning system_id, group_id
), told as (
	insert into events (kind, subject, action, systems, next, actor)
	select 'catalog.group.updated', group_id, 'updated', array[system_id],
		jsonb_build_object('systemId', system_id), $4
	from made
)
select id from found where is_member or exists (select from made)
