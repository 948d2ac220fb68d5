-- A page of sources, newest first.
-- $1 limit; $2 id of the last source of the page before, or null
-- columns: json {"sources": [...], "nextCursor"?}
with page as (
	select *, row_number() over (order by created_at desc, id desc) as place
	from alert_sources
	where (created_at, id) < (
		case when $2::uuid is null then 'infinity'
			else (select last.created_at from alert_sources last where last.id = $2::uuid) end,
		coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
	order by created_at desc, id desc
	limit $1::bigint + 1
)
select jsonb_strip_nulls(jsonb_build_object(
	'sources', coalesce(jsonb_agg(jsonb_build_object(
		'id', id,
		'name', name,
		'createdAt', tocsin_timestamp(created_at),
		'createdBy', created_by,
		'lastUsedAt', tocsin_timestamp(last_used_at),
		'revokedAt', tocsin_timestamp(revoked_at))
		order by place) filter (where place <= $1::bigint), '[]'),
	'nextCursor', case when count(*) > $1::bigint
		then (select id from page where place = $1::bigint) end)) as json
from page
