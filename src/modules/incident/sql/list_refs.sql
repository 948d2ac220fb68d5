-- Which of these incidents exist, in the order they were asked for.
-- $1 ids, distinct
-- columns: document
select json_build_object('ids', coalesce(json_agg(w.id order by w.position), '[]')) as document
from unnest($1::uuid[]) with ordinality as w (id, position)
where exists (select from incidents i where i.id = w.id)
