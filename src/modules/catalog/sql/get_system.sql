-- A system with its links, and its contacts for those who may see them.
-- $1 system; $2 whether the caller may see contacts
-- columns: document
select concat(left(system_document(s), -1),
	',"contacts":[' || case when $2::boolean then coalesce((
		select string_agg(system_contact_document(c), ',' order by c.created_at, c.id)
		from system_contacts c where c.system_id = s.id), '') end || ']',
	',"links":[', (select string_agg(system_link_document(l), ',' order by l.created_at, l.id)
		from system_links l where l.system_id = s.id), ']}') as document
from systems s
where s.id = $1
