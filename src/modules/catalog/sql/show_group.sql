-- A group.
-- $1 group
-- columns: document
select catalog_group_document(g) as document from catalog_groups g where g.id = $1::uuid
