-- What a create asks for once an incident, in as little time as PostgreSQL needs for it: the moment in an id, and
-- the state that its event tells.
create or replace function tocsin_uuid_time(uuid) returns timestamptz language sql immutable parallel safe as $$
	select to_timestamp(('x' || left(encode(uuid_send($1), 'hex'), 12))::bit(48)::bigint::float8 / 1000)
	$$;

-- Constants: building one object an incident takes a fortieth of the whole statement.
create function incident_opened_state(incident_severity) returns jsonb language sql immutable parallel safe as $$
	select case $1
		when 'minor' then jsonb '{"status": "investigating", "severity": "minor"}'
		when 'major' then jsonb '{"status": "investigating", "severity": "major"}'
		when 'critical' then jsonb '{"status": "investigating", "severity": "critical"}'
	end
	$$;
comment on function incident_opened_state is 'events.next of an incident that was opened';
