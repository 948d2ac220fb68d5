-- The password of a user.
-- $1 id uuid
-- Columns: id, name, password_hash, password_version.
select id, name, password_hash, password_version from users where id = $1::uuid
