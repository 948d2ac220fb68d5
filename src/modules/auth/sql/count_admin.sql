-- Columns: count of admin keys that work.
select count(*) from api_keys where role = 'admin' and revoked_at is null
