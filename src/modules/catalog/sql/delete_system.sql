-- Deletes a system with everything that belongs to it. Needs leave_incidents.sql before it in the transaction, which
-- takes it out of its incidents and tells them; refused if an incident names it all the same.
-- $1 system; $2 actor
with gone as (
	delete from systems where id = $1 returning id, name, description, discovered
)
insert into events (kind, subject, action, systems, previous, actor)
select 'catalog.system.deleted', id, 'deleted', array[id],
	jsonb_build_object('name', name, 'description', description, 'discovered', discovered), $2
from gone
