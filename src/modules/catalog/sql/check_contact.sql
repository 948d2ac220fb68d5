-- What keeps a contact from being added; needs lock_system.sql before it.
-- $1 system; $2 type; $3 value; $4 most contacts a system may have
-- columns: conflict: value, full or null
select case
	when exists (select from system_contacts where system_id = $1 and type = $2 and value = $3) then 'value'
	when (select count(*) from system_contacts where system_id = $1) >= $4::bigint then 'full'
	end as conflict
