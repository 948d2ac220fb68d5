-- Open incidents of many systems, newest first, at most so many of each: a walk along one index a system. `offset 0`
-- keeps the rest of it a walk, too: joined otherwise, all incidents are read where few systems have many.
-- $1 systems, distinct; $2 most incidents of one system
-- columns: document
select concat('{"incidents":{', string_agg(concat(to_json(w.system_id), ':[', o.documents, ']'), ','
		order by w.position), '}}') as document
from unnest($1::text[]) with ordinality as w (system_id, position)
	left join lateral (
		select string_agg(d.document, ',' order by n.incident_id desc) as documents
		from (select s.incident_id from incident_systems s
				where s.system_id = w.system_id and s.is_open
				order by s.incident_id desc limit $2::bigint) n
			cross join lateral (select d.document from incident_documents d where d.id = n.incident_id offset 0) d) o
		on true
