-- Systems, newest first: a walk along an index for discovered ones, one for registered ones, each no longer than a page.
-- $1 limit; $2 and $3 cursor: microseconds since 1970 and id of the last one shown, null: from the newest;
-- $4 only discovered (true) or registered (false) ones, null: both
-- columns: cursor, document
select concat((extract(epoch from s.created_at) * 1000000)::bigint, '.', s.id) as cursor,
	system_document(row(s.*)::systems) as document
from (values (true), (false)) as k (discovered)
	cross join lateral (
		select o.* from systems o
		where o.discovered = k.discovered
			and (o.created_at, o.id) < (
				coalesce('epoch'::timestamptz + $2::bigint * interval '1 microsecond', 'infinity'),
				coalesce($3, ''))
		order by o.created_at desc, o.id desc
		limit $1::bigint) s
where $4::boolean is null or k.discovered = $4::boolean
order by s.created_at desc, s.id desc
limit $1::bigint
