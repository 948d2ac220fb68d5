-- A timeline has a bound, so that an incident can always be shown whole.
create function incident_timeline_size(uuid) returns bigint language sql stable parallel safe as $$
	select coalesce(sum(512 + octet_length(u.message) + octet_length(u.edit_history::text)), 0)
	from incident_updates u where u.incident_id = $1
	$$;
comment on function incident_timeline_size is
	'Bytes of an incident''s updates with their edit histories, and 512 for all else an update has';
