-- The newest migration this database has had; 0 before the first.
-- column 1: version
SELECT coalesce(max(version), 0) FROM tocsin_migrations;
