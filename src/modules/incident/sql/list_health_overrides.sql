-- What open incidents say the health of each system is. If several do, the worst word counts, and of equal
-- ones that of the oldest incident: an incident that is opened later changes the answer only for the worse.
-- Systems that no open incident overrides are left out.
-- $1 systems, distinct
-- columns: document
select concat('{"overrides":{', string_agg(concat(to_json(w.system_id), ':{"status":"', o.health_override,
		'","incidentId":"', o.id, '","incidentTitle":', to_json(o.title), '}'), ',' order by w.position),
	'}}') as document
from unnest($1::text[]) with ordinality as w (system_id, position)
	cross join lateral (
		select i.id, i.title, i.health_override
		from (select s.incident_id from incident_systems s
				where s.system_id = w.system_id and s.is_open offset 0) n
			join incidents i on i.id = n.incident_id
		where i.health_override is not null
		order by i.health_override desc, i.id limit 1) o
