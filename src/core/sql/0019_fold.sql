-- Names that are unique without regard to case: what counts of them.
--
-- By Unicode, in every database: lower() by itself knows what the database's locale knows, and that of a cluster
-- made with the locale C is ASCII. Compared byte by byte, so that no index depends on an order that a library may
-- change.
create function tocsin_fold(text) returns text language sql immutable parallel safe as
	$$ select pg_catalog.lower($1 collate pg_catalog."und-x-icu") collate pg_catalog."C" $$;
comment on function tocsin_fold(text) is 'A name in lower case, by Unicode';
