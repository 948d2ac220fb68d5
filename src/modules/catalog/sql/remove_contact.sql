-- Removes a contact of a system.
-- $1 system; $2 contact; $3 actor
-- columns: id; no row if the system has no such contact
with gone as (
	delete from system_contacts where system_id = $1 and id = $2::uuid returning system_id, id
)
insert into events (kind, subject, action, systems, previous, actor)
select 'catalog.system.updated', system_id, 'updated', array[system_id],
	jsonb_build_object('contactId', id), $3
from gone
returning subject as id
