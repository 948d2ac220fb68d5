-- Incidents, the systems they are about, their updates and links.
--
-- An incident is open while its status is not `resolved`. Ids are UUIDs of version 7, so "newest
-- first" and "the oldest" go by id, and new rows go to the right end of their indexes.
--
-- Every index is paid for by each create, so there are few: two on incidents, two on incident_systems,
-- one each on updates and links. The pair (system_id, is_open, incident_id) finds the oldest open
-- incident of a system, its suppression and its lists without looking at resolved ones.
create type incident_status as enum ('investigating', 'identified', 'fixing', 'monitoring', 'resolved');
comment on type incident_status is 'resolved is closed; every other status is open';
create type incident_severity as enum ('minor', 'major', 'critical');
comment on type incident_severity is 'From least to worst';
create type incident_health as enum ('degraded', 'unhealthy');
comment on type incident_health is 'What an open incident may say its systems'' health is';
create type incident_visibility as enum ('public', 'logged_in', 'internal');
comment on type incident_visibility is 'Who sees an update or link: everybody, the signed-in, those who manage';

create table incidents (
	id uuid primary key,
	title text not null check (char_length(title) between 1 and 500),
	description text check (char_length(description) <= 20000),
	status incident_status not null default 'investigating',
	severity incident_severity not null,
	suppress_notifications boolean not null default false,
	health_override incident_health,
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	resolved_at timestamptz check ((status = 'resolved') = (resolved_at is not null))
);
create index incidents_open on incidents (id) where status <> 'resolved';
comment on table incidents is 'Incidents';
comment on column incidents.id is 'UUID version 7, made by the server before the insert';
comment on column incidents.title is '1 to 500 characters';
comment on column incidents.description is 'At most 20,000 characters';
comment on column incidents.status is 'Where it stands; open while not resolved';
comment on column incidents.severity is 'How bad it is';
comment on column incidents.suppress_notifications is 'While open, its systems'' own notifications are not sent';
comment on column incidents.health_override is 'While open, overrides its systems'' health';
comment on column incidents.created_at is 'Start of the transaction that opened it';
comment on column incidents.updated_at is 'Last change of the incident itself or of its status';
comment on column incidents.resolved_at is 'When it was resolved; null while open';

create table incident_systems (
	incident_id uuid not null references incidents on delete cascade,
	system_id text collate "C" not null references systems on delete cascade,
	is_open boolean not null,
	position smallint not null,
	primary key (incident_id, system_id)
);
create index incident_systems_system on incident_systems (system_id, is_open, incident_id);
comment on table incident_systems is 'Which systems an incident is about; may be none after systems were deleted';
comment on column incident_systems.incident_id is 'The incident';
comment on column incident_systems.system_id is 'The system';
comment on column incident_systems.is_open is
	'Copy of "the incident is open"; set by whoever inserts, who holds the incident''s row; then by a trigger';
comment on column incident_systems.position is 'Order in which the systems were given, from 1';

-- Only updates that open or close pay for this; creates do not.
create function incident_systems_follow() returns trigger language plpgsql as $$
begin
	update incident_systems set is_open = new.status <> 'resolved' where incident_id = new.id;
	return null;
end
$$;
comment on function incident_systems_follow is 'Keeps incident_systems.is_open right';
create trigger incident_systems_follow after update of status on incidents for each row
	when ((old.status = 'resolved') is distinct from (new.status = 'resolved'))
	execute function incident_systems_follow();

create table incident_updates (
	incident_id uuid not null references incidents on delete cascade,
	id uuid not null,
	message text not null,
	status_change incident_status,
	visibility incident_visibility not null default 'public',
	created_at timestamptz not null default now(),
	edited_at timestamptz,
	edit_history jsonb not null default '[]',
	created_by text,
	created_by_name text,
	primary key (incident_id, id)
);
comment on table incident_updates is 'What was said about an incident, oldest first by (created_at, id)';
comment on column incident_updates.incident_id is 'The incident';
comment on column incident_updates.id is 'UUID version 7';
comment on column incident_updates.message is 'The text';
comment on column incident_updates.status_change is 'The status this update set, if it set one';
comment on column incident_updates.visibility is 'Who sees it';
comment on column incident_updates.created_at is 'When it was said; may be edited';
comment on column incident_updates.edited_at is 'When it was last edited';
comment on column incident_updates.edit_history is 'Earlier versions, oldest first, in the API''s JSON';
comment on column incident_updates.created_by is 'Actor: "key:<uuid>", "source:<name>"';
comment on column incident_updates.created_by_name is 'The actor''s name at that time';

create table incident_links (
	incident_id uuid not null references incidents on delete cascade,
	id uuid not null,
	label text,
	url text not null,
	visibility incident_visibility not null default 'public',
	created_at timestamptz not null default now(),
	primary key (incident_id, id),
	unique (incident_id, url)
);
comment on table incident_links is 'Links of an incident';
comment on column incident_links.incident_id is 'The incident';
comment on column incident_links.id is 'UUID version 7';
comment on column incident_links.label is 'For people; the URL is shown without one';
comment on column incident_links.url is 'Where it goes; once an incident';
comment on column incident_links.visibility is 'Who sees it';
comment on column incident_links.created_at is 'When it was added';

create function tocsin_timestamp(timestamptz) returns text language sql stable parallel safe as
	$$ select to_char($1 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
comment on function tocsin_timestamp is 'RFC 3339, UTC, milliseconds, Z';

-- How things look, in one place each. The server inlines these: no call a row. concat() leaves out what
-- is null, and with it the fields that are not set; only text needs to_json.
create function incident_document(id uuid, title text, description text, status incident_status,
	severity incident_severity, suppress_notifications boolean, health_override incident_health,
	created_at timestamptz, updated_at timestamptz, resolved_at timestamptz, systems text[])
	returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1, '","title":', to_json($2), ',"description":' || to_json($3)::text,
		',"status":"', $4, '","severity":"', $5,
		'","suppressNotifications":', case when $6 then 'true' else 'false' end,
		',"healthOverride":"' || $7::text || '"',
		',"createdAt":"', tocsin_timestamp($8), '","updatedAt":"', tocsin_timestamp($9), '"',
		',"resolvedAt":"' || tocsin_timestamp($10) || '"',
		',"systemIds":', to_json($11), '}')
	$$;
comment on function incident_document is 'JSON of an incident, as lists show it';

create function incident_update_document(incident_updates, with_history boolean)
	returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1.id, '","incidentId":"', $1.incident_id,
		'","message":', to_json($1.message),
		',"statusChange":"' || $1.status_change::text || '"',
		',"visibility":"', $1.visibility, '","createdAt":"', tocsin_timestamp($1.created_at), '"',
		',"editedAt":"' || tocsin_timestamp($1.edited_at) || '"',
		',"editHistory":' || case when $2 then $1.edit_history::text end,
		',"createdBy":' || to_json($1.created_by)::text,
		',"createdByName":' || to_json($1.created_by_name)::text, '}')
	$$;
comment on function incident_update_document is 'JSON of an update; the history is for those who manage';

create function incident_link_document(incident_links)
	returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1.id, '","incidentId":"', $1.incident_id, '"',
		',"label":' || to_json($1.label)::text, ',"url":', to_json($1.url),
		',"visibility":"', $1.visibility, '","createdAt":"', tocsin_timestamp($1.created_at), '"}')
	$$;
comment on function incident_link_document is 'JSON of a link';

create view incident_documents as
select i.id, i.status,
	incident_document(i.id, i.title, i.description, i.status, i.severity, i.suppress_notifications,
		i.health_override, i.created_at, i.updated_at, i.resolved_at,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id)) as document
from incidents i;
comment on view incident_documents is 'Incidents as the API shows them in lists';
comment on column incident_documents.id is 'incidents.id';
comment on column incident_documents.status is 'incidents.status';
comment on column incident_documents.document is 'JSON text of the incident';
