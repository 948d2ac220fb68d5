-- Status, severity and systems of many incidents; ids that do not exist are left out.
-- $1 ids
-- columns: document
select concat('{', string_agg(concat('"', i.id, '":{"status":"', i.status, '","severity":"', i.severity,
		'","systemIds":', to_json(array(select s.system_id from incident_systems s
			where s.incident_id = i.id order by s.position)), '}'), ','), '}') as document
from incidents i where i.id = any ($1::uuid[])
