-- Adds a link to a system unless it has too many; needs lock_system.sql before it.
-- $1 system; $2 URL; $3 most links a system may have; $4 id; $5 label; $6 actor
-- columns: document
with made as (
	insert into system_links as l (system_id, id, url, label)
	select s.id, $4::uuid, $2, $5 from systems s
	where s.id = $1 and (select count(*) from system_links o where o.system_id = $1) < $3::bigint
	returning l.system_id, l.id, l.url, system_link_document(l) as document
), told as (
	insert into events (kind, subject, action, systems, next, actor)
	select 'catalog.system.updated', system_id, 'updated', array[system_id],
		jsonb_build_object('linkId', id, 'url', url), $6
	from made
)
select document from made
