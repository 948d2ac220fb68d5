-- The user of a name, without regard to case.
-- $1 name
-- Columns: id, name, password_hash, password_version.
select id, name, password_hash, password_version from users where tocsin_fold(name) = tocsin_fold($1)
