-- What keeps a system from joining a group; needs lock_system.sql before it.
-- $1 system; $2 group; $3 most groups a system may be in
-- columns: conflict: full or null
select case
	when exists (select from catalog_members where system_id = $1 and group_id = $2::uuid) then null
	when (select count(*) from catalog_members where system_id = $1) >= $3::bigint then 'full'
	end as conflict
