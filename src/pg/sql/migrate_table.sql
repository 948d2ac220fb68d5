-- Which migrations this database has had. Made here, because it must be there before the first of them.
CREATE TABLE IF NOT EXISTS tocsin_migrations (
	version    integer     PRIMARY KEY,
	name       text        NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
