-- A node tells that it is there; nodes that have been silent for an hour are forgotten.
-- $1 id, $2 host, $3 process, $4 most connections
with forgotten as (
	delete from nodes where seen_at < clock_timestamp() - interval '1 hour' and id <> $1::uuid
)
insert into nodes (id, host, process, connections) values ($1::uuid, $2, $3::integer, $4::integer)
on conflict (id) do update set seen_at = clock_timestamp()
