-- Fails (division by zero, 22012) unless every key is held by the given transaction, so that a
-- COMMIT behind it in the same pipeline does not run.
-- $1 keys, $2 process id, $3 virtual transaction, $4 start of the server
select 1 / (
    count(distinct key) = cardinality($1::text[])
    and pg_postmaster_start_time()::text = $4::text
)::int
from unnest($1::text[]) as key
join pg_locks as held
    on held.locktype = 'advisory'
    and held.database = (select oid from pg_database where datname = current_database())
    and (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended(key, 0)
    and held.objsubid = 1
    and held.mode = 'ExclusiveLock'
    and held.granted
    and held.pid = $2::int
    and held.virtualtransaction = $3::text
