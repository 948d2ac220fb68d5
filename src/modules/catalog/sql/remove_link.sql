-- Removes a link of a system.
-- $1 system; $2 link; $3 actor
-- columns: id; no row if the system has no such link
with gone as (
	delete from system_links where system_id = $1 and id = $2::uuid returning system_id, id, url
)
insert into events (kind, subject, action, systems, previous, actor)
select 'catalog.system.updated', system_id, 'updated', array[system_id],
	jsonb_build_object('linkId', id, 'url', url), $3
from gone
returning subject as id
