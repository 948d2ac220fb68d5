-- What the database knows of each alert of the batch; needs lock_incidents.sql before it, which holds all that are open.
-- Settings are read by a select of their own: once, and not once a row.
-- $1 sources, $2 dedup keys, $3 system ids, $4 index of each one's key in tocsin.locked (from 1)
-- Columns, a row an alert, in order: is_locked, was_firing, has_open_incident, is_known_system,
-- is_acknowledged.
select
	((select current_setting('tocsin.locked')::boolean[]))[i.key] as is_locked,
	a.state is not distinct from 'firing' as was_firing,
	coalesce(a.incident_id = any ((select current_setting('tocsin.held')::uuid[])::uuid[]), false) as has_open_incident,
	exists (select from systems s where s.id = i.system_id) as is_known_system,
	a.acknowledged_at is not null as is_acknowledged
from unnest($1::text[], $2::text[], $3::text[], $4::integer[])
	with ordinality as i (source, dedup_key, system_id, key, place)
left join alerts a on a.source = i.source and a.dedup_key = i.dedup_key
order by i.place
