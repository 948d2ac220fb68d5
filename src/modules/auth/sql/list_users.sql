-- A page of users, newest first.
-- $1 limit, $2 id uuid of the last user of the page before, or null
-- Columns: json {"users": [...], "nextCursor"?}.
with page as (
	select *, row_number() over (order by created_at desc, id desc) as place
	from users
	where (created_at, id) < (
		case when $2::uuid is null then 'infinity'
			else (select last.created_at from users last where last.id = $2::uuid) end,
		coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
	order by created_at desc, id desc
	limit $1::integer + 1
)
select jsonb_strip_nulls(jsonb_build_object(
	'users', coalesce(jsonb_agg(jsonb_build_object(
		'id', id,
		'name', name,
		'role', role,
		'createdAt', tocsin_timestamp(created_at),
		'createdBy', created_by,
		'updatedAt', tocsin_timestamp(updated_at),
		'lastLoginAt', tocsin_timestamp(last_login_at))
		order by place) filter (where place <= $1::integer), '[]'),
	'nextCursor', case when count(*) > $1::integer
		then (select id from page where place = $1::integer) end)) as json
from page
