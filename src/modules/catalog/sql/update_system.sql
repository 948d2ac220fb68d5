-- Changes a system, and registers it if it was discovered; needs lock_system.sql before it. What is as it was
-- is not told.
-- $1 system; $2 name, null: as it is; $3 description; $4 whether the description is given; $5 actor
with before as materialized (
	select id, name, description, discovered, coalesce($2, name) as next_name,
		case when $4::boolean then $3 else description end as next_description
	from systems where id = $1
), turned as (
	update systems s set name = b.next_name, description = b.next_description, discovered = false,
		updated_at = now()
	from before b
	where s.id = b.id
		and (b.name, b.description, b.discovered) is distinct from (b.next_name, b.next_description, false)
	returning s.id
)
insert into events (kind, subject, action, systems, previous, next, actor)
select 'catalog.system.updated', id, case when b.discovered then 'registered' else 'updated' end, array[id],
	jsonb_build_object('name', b.name, 'description', b.description, 'discovered', b.discovered),
	jsonb_build_object('name', b.next_name, 'description', b.next_description, 'discovered', false), $5
from turned join before b using (id)
