-- The source that a routing key names, and the system of an alert of it.
-- $1 routing_key_hash as \x hex; $2 dedup key, null: none
-- columns: id, name, is_stale: it is time to note the use; system_id: null if the alert is not known. No row if no
-- working source has the key.
select s.id, s.name,
	s.last_used_at is null or s.last_used_at < now() - interval '1 minute' as is_stale,
	a.system_id
from alert_sources s
left join alerts a on a.source = 'pagerduty:' || s.id and a.dedup_key = $2
where s.routing_key_hash = $1::bytea and s.revoked_at is null
