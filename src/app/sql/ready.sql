-- Whether the database has the migrations this program needs.
-- $1 version
-- column 1: boolean
select coalesce(max(version), 0) >= $1::integer from tocsin_migrations
