-- Changes a group; needs lock_group.sql before it. What is as it was is not told.
-- $1 group; $2 name, null: as it is; $3 description; $4 whether the description is given; $5 actor
with before as materialized (
	select id, name, description, coalesce($2, name) as next_name,
		case when $4::boolean then $3 else description end as next_description
	from catalog_groups where id = $1::uuid
), turned as (
	update catalog_groups g set name = b.next_name, description = b.next_description, updated_at = now()
	from before b
	where g.id = b.id and (b.name, b.description) is distinct from (b.next_name, b.next_description)
	returning g.id
)
insert into events (kind, subject, action, previous, next, actor)
select 'catalog.group.updated', id, 'updated',
	jsonb_build_object('name', b.name, 'description', b.description),
	jsonb_build_object('name', b.next_name, 'description', b.next_description), $5
from turned join before b using (id)
