-- Makes a group.
-- $1 id; $2 name; $3 description; $4 actor
-- columns: document
with made as (
	insert into catalog_groups as g (id, name, description) values ($1::uuid, $2, $3)
	returning g.id, g.name, g.description, catalog_group_document(g) as document
), told as (
	insert into events (kind, subject, action, next, actor)
	select 'catalog.group.created', id, 'created',
		jsonb_build_object('name', name, 'description', description), $4
	from made
)
select document from made
