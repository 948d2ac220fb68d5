-- Deletes a group; its systems stay. Needs lock_group.sql before it.
-- $1 group; $2 actor
-- columns: id; no row if there is no such group
with members as materialized (
	select array(select system_id from catalog_members where group_id = $1::uuid order by system_id) as systems
), gone as (
	delete from catalog_groups where id = $1::uuid returning id, name, description
)
insert into events (kind, subject, action, systems, previous, actor)
select 'catalog.group.deleted', id, 'deleted', systems,
	jsonb_build_object('name', name, 'description', description), $2
from gone, members
returning subject as id
