-- Sources: tools that send PagerDuty events, each known by its routing key.
create table alert_sources (
	id uuid primary key,
	name text not null check (char_length(name) between 1 and 100),
	routing_key_hash bytea not null unique check (octet_length(routing_key_hash) = 32),
	created_at timestamptz not null default clock_timestamp(),
	created_by text,
	last_used_at timestamptz,
	revoked_at timestamptz
);
create unique index alert_sources_name on alert_sources (lower(name)) where revoked_at is null;
create index alert_sources_newest on alert_sources (created_at desc, id desc);
comment on table alert_sources is 'Tools that send PagerDuty events; rows are revoked, never deleted';
comment on column alert_sources.id is 'UUID version 7; its alerts have pagerduty:<id> as their source';
comment on column alert_sources.name is 'What people call it; unique without regard to case while it works';
comment on column alert_sources.routing_key_hash is 'BLAKE2b-256 of the routing key''s 32 characters';
comment on column alert_sources.created_at is 'When it was made';
comment on column alert_sources.created_by is 'Actor who made it; null: the command line';
comment on column alert_sources.last_used_at is 'When its key last came with an event, to about a minute';
comment on column alert_sources.revoked_at is 'When its key stopped working; null while it works';

alter table alerts add column acknowledged_at timestamptz;
comment on column alerts.source is 'Who reports it: alertmanager, or pagerduty:<id of the source>';
comment on column alerts.acknowledged_at is 'When somebody acknowledged this firing; null: nobody has';
