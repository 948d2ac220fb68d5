-- What keeps a system from being registered like this. A name that nobody gave, that of a discovered
-- system, keeps nothing.
-- $1 id, null: not given; $2 name, null: as it is; $3 whether it is a new one
-- columns: conflict: id, name or null
select case
	when $3::boolean and exists (select from systems where id = $1 and not discovered) then 'id'
	when exists (select from systems
		where tocsin_fold(name) = tocsin_fold(coalesce($2, (select own.name from systems own where own.id = $1)))
			and not discovered and id is distinct from $1) then 'name'
	end as conflict
