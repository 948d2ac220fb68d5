-- Long texts that are unique: what stands for them in an index, whose rows have at most 2,704 bytes.
create function tocsin_hash(text) returns bytea language sql immutable strict parallel safe as
	$$ select pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8')) $$;
comment on function tocsin_hash(text) is 'SHA-256 of a text';
