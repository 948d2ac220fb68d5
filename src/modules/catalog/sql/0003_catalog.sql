-- The catalog: systems that incidents are about.
create table systems (
	id text collate "C" primary key check (char_length(id) between 1 and 255),
	name text not null,
	discovered boolean not null default false,
	created_at timestamptz not null default now()
);
comment on table systems is 'The catalog: systems that incidents are about';
comment on column systems.id is 'Chosen by whoever registers or reports it; 1 to 255 characters';
comment on column systems.name is 'For people; the id for a discovered one';
comment on column systems.discovered is 'An incident named it before anybody registered it';
comment on column systems.created_at is 'When it was registered or discovered';
