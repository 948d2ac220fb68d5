-- Adds a contact to a system unless it has too many; needs lock_system.sql before it. Values are personal: the
-- outbox has only the id.
-- $1 system; $2 type; $3 value; $4 most contacts a system may have; $5 id; $6 label; $7 actor
-- columns: document
with made as (
	insert into system_contacts as c (system_id, id, type, value, label)
	select s.id, $5::uuid, $2, $3, $6 from systems s
	where s.id = $1 and (select count(*) from system_contacts o where o.system_id = $1) < $4::bigint
	returning c.system_id, c.id, system_contact_document(c) as document
), told as (
	insert into events (kind, subject, action, systems, next, actor)
	select 'catalog.system.updated', system_id, 'updated', array[system_id],
		jsonb_build_object('contactId', id), $7
	from made
)
select document from made
