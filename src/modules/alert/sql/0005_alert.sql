-- Alerts: what monitoring tools reported, and the incidents that came of it.
create type alert_state as enum ('firing', 'resolved');
comment on type alert_state is 'What was last reported of an alert';

-- A storm repeats the same alerts: their rows change often, no indexed column with them, so that room in
-- the page (fillfactor) keeps these changes out of the indexes.
create table alerts (
	source text not null,
	dedup_key text not null check (char_length(dedup_key) between 1 and 255),
	state alert_state not null,
	system_id text collate "C" not null check (char_length(system_id) between 1 and 255),
	incident_id uuid references incidents on delete set null,
	severity incident_severity not null,
	title text not null check (char_length(title) between 1 and 500),
	labels jsonb not null default '{}',
	annotations jsonb not null default '{}',
	first_seen timestamptz not null default now(),
	last_seen timestamptz not null default now(),
	resolved_at timestamptz check ((state = 'resolved') = (resolved_at is not null)),
	count bigint not null default 1 check (count > 0),
	primary key (source, dedup_key)
) with (fillfactor = 70);
create index alerts_incident on alerts (incident_id) where incident_id is not null;
comment on table alerts is 'One row an alert, however often it is reported';
comment on column alerts.source is 'Who reports it: alertmanager';
comment on column alerts.dedup_key is 'Which alert it is, in the source''s words or a hash of its labels';
comment on column alerts.state is 'What was last reported';
comment on column alerts.system_id is 'The system it is about; it may have been deleted from the catalog since';
comment on column alerts.incident_id is 'The incident that its last firing opened or joined; null once that is deleted';
comment on column alerts.severity is 'As last reported';
comment on column alerts.title is 'As last reported';
comment on column alerts.labels is 'As last reported firing';
comment on column alerts.annotations is 'As last reported firing';
comment on column alerts.first_seen is 'First report ever';
comment on column alerts.last_seen is 'Last report, of either state';
comment on column alerts.resolved_at is 'When it was reported resolved; null while it fires';
comment on column alerts.count is 'Firing reports ever';

create table alert_incidents (
	incident_id uuid primary key references incidents on delete cascade
);
comment on table alert_incidents is 'Incidents that alerts opened: these resolve with their last firing alert';
comment on column alert_incidents.incident_id is 'The incident';
