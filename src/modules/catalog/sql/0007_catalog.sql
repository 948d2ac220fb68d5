-- The catalog, complete: what registered systems have beyond an id, groups, contacts, links; and
-- events about things whose ids are not UUIDs.
--
-- A discovered system's name is its id, given by nobody: it is not among the names that must be unique, or
-- an alert could take a name away from people, and a name could keep an incident from being opened.
alter table systems
	add constraint systems_name_length check (char_length(name) between 1 and 255),
	add column description text check (char_length(description) <= 20000),
	add column updated_at timestamptz not null default now();
create unique index systems_name on systems (lower(name)) where not discovered;
create index systems_newest on systems (created_at, id);
comment on column systems.description is 'At most 20,000 characters';
comment on column systems.updated_at is 'Last change of the system itself';

create table catalog_groups (
	id uuid primary key,
	name text not null check (char_length(name) between 1 and 255),
	description text check (char_length(description) <= 20000),
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now()
);
create unique index catalog_groups_name on catalog_groups (lower(name));
comment on table catalog_groups is 'Groups of systems';
comment on column catalog_groups.id is 'UUID version 7';
comment on column catalog_groups.name is 'Unique without regard to case';
comment on column catalog_groups.description is 'At most 20,000 characters';
comment on column catalog_groups.created_at is 'When it was made';
comment on column catalog_groups.updated_at is 'Last change of the group itself';

create table catalog_members (
	system_id text collate "C" not null references systems on delete cascade,
	group_id uuid not null references catalog_groups on delete cascade,
	primary key (system_id, group_id)
);
create index catalog_members_group on catalog_members (group_id);
comment on table catalog_members is 'Which systems are in which groups';
comment on column catalog_members.system_id is 'The system, which may be in many groups';
comment on column catalog_members.group_id is 'The group';

create table system_contacts (
	system_id text collate "C" not null references systems on delete cascade,
	id uuid not null,
	type text not null check (type in ('person', 'email', 'phone', 'chat', 'other')),
	value text not null check (char_length(value) between 1 and 500),
	label text check (char_length(label) between 1 and 255),
	created_at timestamptz not null default now(),
	primary key (system_id, id),
	unique (system_id, type, value)
);
comment on table system_contacts is 'Whom to ask about a system';
comment on column system_contacts.system_id is 'The system';
comment on column system_contacts.id is 'UUID version 7';
comment on column system_contacts.type is 'What value is';
comment on column system_contacts.value is 'A name, address, number or channel';
comment on column system_contacts.label is 'What the contact is for, such as "on call"';
comment on column system_contacts.created_at is 'When it was added';

create table system_links (
	system_id text collate "C" not null references systems on delete cascade,
	id uuid not null,
	url text not null check (char_length(url) between 1 and 2000),
	label text check (char_length(label) between 1 and 255),
	created_at timestamptz not null default now(),
	primary key (system_id, id),
	unique (system_id, url)
);
comment on table system_links is 'Where to read about a system: runbooks, dashboards';
comment on column system_links.system_id is 'The system';
comment on column system_links.id is 'UUID version 7';
comment on column system_links.url is 'http or https; once a system';
comment on column system_links.label is 'For people; the URL is shown without one';
comment on column system_links.created_at is 'When it was added';

-- System ids are text. A uuid written to the column becomes text by itself, so that statements need not change.
alter table events alter column subject type text using subject::text;
comment on column events.kind is 'What listeners subscribe to: incident.created, catalog.system.deleted, ...';
comment on column events.subject is 'Id of the thing that changed: a UUID in lower case, or a system''s id';

create function system_contact_document(system_contacts)
	returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1.id, '","systemId":', to_json($1.system_id),
		',"type":"', $1.type, '","value":', to_json($1.value),
		',"label":' || to_json($1.label)::text,
		',"createdAt":"', tocsin_timestamp($1.created_at), '"}')
	$$;
comment on function system_contact_document is 'JSON of a contact';

create function system_link_document(system_links)
	returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1.id, '","systemId":', to_json($1.system_id),
		',"label":' || to_json($1.label)::text, ',"url":', to_json($1.url),
		',"createdAt":"', tocsin_timestamp($1.created_at), '"}')
	$$;
comment on function system_link_document is 'JSON of a link of a system';

create function system_document(systems)
	returns text language sql stable parallel safe as $$
	select concat('{"id":', to_json($1.id), ',"name":', to_json($1.name),
		',"description":' || to_json($1.description)::text,
		',"discovered":', case when $1.discovered then 'true' else 'false' end,
		',"createdAt":"', tocsin_timestamp($1.created_at),
		'","updatedAt":"', tocsin_timestamp($1.updated_at),
		'","groupIds":', to_json(array(select m.group_id from catalog_members m
			where m.system_id = $1.id order by m.group_id)), '}')
	$$;
comment on function system_document is 'JSON of a system, as lists show it';

create function catalog_group_document(catalog_groups)
	returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1.id, '","name":', to_json($1.name),
		',"description":' || to_json($1.description)::text,
		',"createdAt":"', tocsin_timestamp($1.created_at),
		'","updatedAt":"', tocsin_timestamp($1.updated_at),
		'","systemCount":', (select count(*) from catalog_members m where m.group_id = $1.id), '}')
	$$;
comment on function catalog_group_document is 'JSON of a group';
