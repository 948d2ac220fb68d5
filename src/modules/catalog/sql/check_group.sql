-- What keeps a group from being called like this.
-- $1 group; $2 name, null: as it is
-- columns: conflict: name or null
select case when exists (select from catalog_groups where tocsin_fold(name) = tocsin_fold($2) and id <> $1::uuid)
	then 'name' end as conflict
