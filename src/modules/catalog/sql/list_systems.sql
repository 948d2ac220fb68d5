-- Systems, newest first: one walk along an index.
-- $1 limit; $2 and $3 cursor: microseconds since 1970 and id of the last one shown, null: from the newest;
-- $4 only discovered (true) or registered (false) ones, null: both; $5 only those of this group, null: all
-- columns: cursor, document
select concat((extract(epoch from s.created_at) * 1000000)::bigint, '.', s.id) as cursor,
	system_document(s) as document
from systems s
where (s.created_at, s.id) < (
		coalesce('epoch'::timestamptz + $2::bigint * interval '1 microsecond', 'infinity'),
		coalesce($3, ''))
	and ($4::boolean is null or s.discovered = $4::boolean)
	and ($5::uuid is null or exists (
		select from catalog_members m where m.system_id = s.id and m.group_id = $5::uuid))
order by s.created_at desc, s.id desc
limit $1::bigint
