-- Updates of many incidents, oldest first, as far as the caller may see them; at most so many of each, the
-- newest. Incidents that do not exist are left out.
-- $1 incidents, distinct; $2 the caller's visibility: public, logged_in or internal (who also sees edit
-- histories); $3 most updates of one incident
-- columns: document
select concat('{"updates":{', string_agg(concat('"', w.id, '":[', o.documents, ']'), ',' order by w.position),
	'}}') as document
from unnest($1::uuid[]) with ordinality as w (id, position)
	left join lateral (
		select string_agg(incident_update_document(n.row, $2::incident_visibility = 'internal'), ','
			order by n.created_at, n.id) as documents
		from (select u as row, u.created_at, u.id from incident_updates u
				where u.incident_id = w.id and u.visibility <= $2::incident_visibility
				order by u.created_at desc, u.id desc limit $3::bigint) n) o on true
where exists (select from incidents i where i.id = w.id)
