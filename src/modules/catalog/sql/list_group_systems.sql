-- Systems of a group, newest first. All members are looked up, whatever the page: groups are small beside the catalog, and a
-- walk along the catalog for them would be long where they are old.
-- $1 limit; $2 and $3 cursor: microseconds since 1970 and id of the last one shown, null: from the newest;
-- $4 only discovered (true) or registered (false) ones, null: both; $5 group
-- columns: cursor, document
select concat((extract(epoch from s.created_at) * 1000000)::bigint, '.', s.id) as cursor,
	system_document(row(s.*)::systems) as document
from catalog_members m
	cross join lateral (select o.* from systems o where o.id = m.system_id offset 0) s
where m.group_id = $5::uuid
	and (s.created_at, s.id) < (
		coalesce('epoch'::timestamptz + $2::bigint * interval '1 microsecond', 'infinity'),
		coalesce($3, ''))
	and ($4::boolean is null or s.discovered = $4::boolean)
order by s.created_at desc, s.id desc
limit $1::bigint
