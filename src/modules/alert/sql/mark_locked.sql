-- Says which requests of the open_batch.sql that follows hold their key: $1, an array of booleans. The
-- transaction holds them since try_keys.sql, which numbered them otherwise.
select set_config('tocsin.locked', $1, true)
