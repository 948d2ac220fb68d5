-- Discovered systems, or registered ones, newest first: without walking past all of the others (list_systems.sql).
drop index systems_newest;
create index systems_newest on systems (discovered, created_at, id);
