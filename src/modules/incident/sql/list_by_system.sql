-- Open incidents under each of their systems, newest first; incidents without a system are under none.
-- `offset 0` keeps each step a walk along an index: joined otherwise, whole tables may be read. That they are open is
-- known, and said again: so they are found in the small index of open ones, and not in that of all incidents.
-- $1 most incidents; if there are more, the oldest are left out, and "truncated" says so
-- columns: document
with newest as materialized (
	select i.id from incidents i where i.status <> 'resolved' order by i.id desc limit $1::bigint + 1
), shown as materialized (
	select n.id, d.document
	from (select id from newest order by id desc limit $1::bigint) n
		cross join lateral (select d.document from incident_documents d
			where d.id = n.id and d.status <> 'resolved' offset 0) d
), grouped as (
	select s.system_id, string_agg(d.document, ',' order by d.id desc) as documents
	from shown d
		cross join lateral (select s.system_id from incident_systems s where s.incident_id = d.id offset 0) s
	group by s.system_id
)
select concat('{"incidents":{',
	(select string_agg(concat(to_json(g.system_id), ':[', g.documents, ']'), ',' order by g.system_id) from grouped g),
	'}', case when (select count(*) from newest) > $1::bigint then ',"truncated":true' end, '}') as document
