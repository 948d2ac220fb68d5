-- Who shares this database, and how many connections each may open at most: so that a server can say which
-- number to change before max_connections is exceeded.
create table nodes (
	id uuid primary key,
	host text not null,
	process integer not null,
	connections integer not null,
	started_at timestamptz not null default now(),
	seen_at timestamptz not null default now()
);
comment on table nodes is 'Running servers; each tells every few seconds that it is there';
comment on column nodes.id is 'Made anew at every start';
comment on column nodes.host is 'Name of the machine';
comment on column nodes.process is 'Process id there';
comment on column nodes.connections is 'Most connections it opens: work pool, lock pool and listener';
comment on column nodes.started_at is 'When it started';
comment on column nodes.seen_at is 'When it last told that it is there';
