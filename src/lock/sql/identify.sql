-- Who holds the keys: unlike a process id alone, never the same for two transactions.
-- columns: process id, virtual transaction, start of the server
select pid, virtualtransaction, pg_postmaster_start_time()::text
from pg_locks
where pid = pg_backend_pid() and locktype = 'virtualxid'
limit 1
