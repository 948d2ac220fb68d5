-- Takes a system out of the incidents that lock_history.sql or lock_rest.sql before it in the transaction holds, and
-- tells each that it has really been taken out of, whatever its status.
-- $1 system; $2 actor
with concerned as materialized (
	select i.*,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id)::text[] as systems
	from unnest(current_setting('tocsin.leaving')::uuid[]) as h (id) join incidents i on i.id = h.id
), removed as (
	delete from incident_systems s using concerned c
	where s.incident_id = c.id and s.system_id = $1
	returning s.incident_id
), touched as (
	update incidents i set updated_at = now() from removed r where i.id = r.incident_id
)
insert into events (kind, subject, action, systems, previous, next, actor)
select 'incident.updated', id, 'updated', array_remove(systems, $1),
	incident_state(status, severity, title, description, suppress_notifications, health_override, systems),
	incident_state(status, severity, title, description, suppress_notifications, health_override,
		array_remove(systems, $1)), $2
from concerned where id in (select incident_id from removed) order by id
