-- Timelines that may be edited, links, and one order of lists.
--
-- Lists go by id. So that createdAt agrees with that order, it is the moment in the id: when the server took
-- the request. Updates go by created_at, and the newest one decides about the status: so it is read from
-- the database's own clock, after the incident's row was locked, and not when the transaction began.
create function tocsin_uuid_time(uuid) returns timestamptz language sql immutable parallel safe as $$
	select to_timestamp(('x0000' || translate(left($1::text, 13), '-', ''))::bit(64)::bigint / 1000.0)
	$$;
comment on function tocsin_uuid_time is 'The moment in a UUID of version 7, to the millisecond';

alter table incident_updates alter column created_at set default clock_timestamp();
comment on column incidents.created_at is 'The moment in the id: when the server took the request';
comment on column incident_updates.created_at is 'When it was said, read while the incident''s row was held; may be edited';
comment on column incident_updates.edit_history is
	'Earlier versions, oldest first: {message, statusChange?, visibility, createdAt, editedAt?}';

alter table incident_links
	add constraint incident_links_url_length check (char_length(url) between 1 and 2048),
	add constraint incident_links_label_length check (char_length(label) between 1 and 255);

-- What a change of an incident is called in the outbox, by its status before and after; 0002_events.sql
-- has the list.
create function incident_event_kind(before incident_status, after incident_status, otherwise text)
	returns text language sql immutable parallel safe as $$
	select case when before = after then otherwise when after = 'resolved' then 'incident.resolved'
		else 'incident.updated' end
	$$;
comment on function incident_event_kind is 'Kind of the event; otherwise: where the status is the same';
create function incident_event_action(before incident_status, after incident_status)
	returns text language sql immutable parallel safe as $$
	select case when before = after then 'updated' when after = 'resolved' then 'resolved'
		when before = 'resolved' then 'reopened' else 'updated' end
	$$;
comment on function incident_event_action is 'Action of the event';

create function incident_update_version(incident_updates) returns jsonb language sql stable parallel safe as $$
	select jsonb_strip_nulls(jsonb_build_object('message', $1.message, 'statusChange', $1.status_change,
		'visibility', $1.visibility, 'createdAt', tocsin_timestamp($1.created_at),
		'editedAt', tocsin_timestamp($1.edited_at)))
	$$;
comment on function incident_update_version is 'An update as its edit history keeps it';

create function incident_state(status incident_status, severity incident_severity, title text, description text,
	suppress_notifications boolean, health_override incident_health, systems text[])
	returns jsonb language sql stable parallel safe as $$
	select jsonb_strip_nulls(jsonb_build_object('status', $1, 'severity', $2, 'title', $3, 'description', $4,
		'suppressNotifications', $5, 'healthOverride', $6, 'systemIds', $7))
	$$;
comment on function incident_state is 'What an edit of an incident has before and after, for the outbox';
