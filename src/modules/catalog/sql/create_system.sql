-- Registers a system: a new one, or one that was discovered. Without an id it is the discovered one that
-- has the name as its id, since that is what incidents call it; else a new one.
-- $1 id, null: not given; $2 name; $3 description; $4 id of a new one without an id; $5 actor
-- columns: document; no row if there is a registered system with this id
with before as materialized (
	select id, name from systems where id = coalesce($1, $2) and discovered
), made as (
	insert into systems as s (id, name, description)
	values (coalesce($1, (select id from before), $4), $2, $3)
	on conflict (id) do update set name = excluded.name, description = excluded.description,
		discovered = false, updated_at = now()
		where s.discovered
	returning s.id, s.name, s.description, system_document(s) as document
), told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select case when b.id is null then 'catalog.system.created' else 'catalog.system.updated' end, m.id,
		case when b.id is null then 'created' else 'registered' end, array[m.id],
		case when b.id is not null then jsonb_build_object('name', b.name, 'discovered', true) end,
		jsonb_build_object('name', m.name, 'description', m.description, 'discovered', false), $5
	from made m left join before b using (id)
)
select document from made
