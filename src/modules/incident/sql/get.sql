-- An incident with its updates, oldest first, and links, as far as the caller may see them.
-- $1 id; $2 the caller's visibility: public, logged_in or internal (who also sees edit histories)
-- columns: document
select concat(left(d.document, -1),
	',"updates":[', (select string_agg(
			incident_update_document(u, $2::incident_visibility = 'internal'), ','
			order by u.created_at, u.id)
		from incident_updates u
		where u.incident_id = d.id and u.visibility <= $2::incident_visibility),
	'],"links":[', (select string_agg(incident_link_document(l), ',' order by l.created_at, l.id)
		from incident_links l
		where l.incident_id = d.id and l.visibility <= $2::incident_visibility),
	']}') as document
from incident_documents d
where d.id = $1::uuid
