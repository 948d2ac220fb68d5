-- Takes a system out of a group.
-- $1 system; $2 group; $3 actor
-- columns: id; no row if it was not in it
with gone as (
	delete from catalog_members where system_id = $1 and group_id = $2::uuid returning system_id, group_id
)
insert into events (kind, subject, action, systems, previous, actor)
select 'catalog.group.updated', group_id, 'updated', array[system_id],
	jsonb_build_object('systemId', system_id), $3
from gone
returning subject as id
