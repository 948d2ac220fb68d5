-- The end of alerts: with their incident, and some time after they resolved.
alter table alerts
	drop constraint alerts_incident_id_fkey,
	add constraint alerts_incident_id_fkey foreign key (incident_id) references incidents on delete cascade;
comment on column alerts.incident_id is 'The incident that its last firing opened or joined; the alert goes with it';

-- For remove_resolved.sql. Repeats of a firing alert change neither column, and so go on to stay out of the indexes.
create index alerts_resolved on alerts (resolved_at) where state = 'resolved';
