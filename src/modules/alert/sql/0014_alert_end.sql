-- The end of alerts: with their incident, and some time after they resolved.
-- Both tables at once, in the order in which statements take them, and only for a moment: alerts that are there
-- are looked at later (0016_alert_incident.sql), when nobody waits for it.
lock table incidents, alerts in access exclusive mode;
alter table alerts
	drop constraint alerts_incident_id_fkey,
	add constraint alerts_incident_id_fkey foreign key (incident_id) references incidents on delete cascade not valid;
comment on column alerts.incident_id is 'The incident that its last firing opened or joined; the alert goes with it';

-- For remove_resolved.sql. Repeats of a firing alert change neither column, and so go on to stay out of the indexes.
create index alerts_resolved on alerts (resolved_at) where state = 'resolved';
