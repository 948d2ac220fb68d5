-- A page of keys, newest first.
-- $1 limit, $2 id uuid of the last key of the page before, or null
-- Columns: json {"keys": [...], "nextCursor"?}.
with page as (
	select *, row_number() over (order by created_at desc, id desc) as place
	from api_keys
	where $2::uuid is null
		or (created_at, id) < (select created_at, id from api_keys where id = $2::uuid)
	order by created_at desc, id desc
	limit $1::integer + 1
)
select jsonb_strip_nulls(jsonb_build_object(
	'keys', coalesce(jsonb_agg(jsonb_build_object(
		'id', id,
		'name', name,
		'role', role,
		'createdAt', tocsin_timestamp(created_at),
		'createdBy', created_by,
		'lastUsedAt', tocsin_timestamp(last_used_at),
		'revokedAt', tocsin_timestamp(revoked_at))
		order by place) filter (where place <= $1::integer), '[]'),
	'nextCursor', case when count(*) > $1::integer
		then (select id from page where place = $1::integer) end)) as json
from page
