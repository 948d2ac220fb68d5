-- What the living nodes may open, and what there is.
-- columns: nodes, wanted connections, available connections
select count(*), coalesce(sum(connections), 0),
	current_setting('max_connections')::integer
	- current_setting('superuser_reserved_connections')::integer
	- coalesce(current_setting('reserved_connections', true)::integer, 0)
from nodes where seen_at > clock_timestamp() - interval '1 minute'
