-- Groups, newest first.
-- $1 limit; $2 cursor: older than this id, null: from the newest
-- columns: cursor, document
select id as cursor, catalog_group_document(g) as document
from catalog_groups g
where id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by id desc limit $1::bigint
