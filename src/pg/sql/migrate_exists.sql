-- Whether this database has ever been migrated.
-- column 1: boolean
SELECT to_regclass('tocsin_migrations') IS NOT NULL;
