-- What keeps a link from being added; needs lock_system.sql before it.
-- $1 system; $2 URL; $3 most links a system may have
-- columns: conflict: url, full or null
select case
	when exists (select from system_links where system_id = $1 and url = $2) then 'url'
	when (select count(*) from system_links where system_id = $1) >= $3::bigint then 'full'
	end as conflict
