-- Columns: count of admins: keys that work, and users.
select (select count(*) from api_keys where role = 'admin' and revoked_at is null)
	+ (select count(*) from users where role = 'admin')
