-- Deletes a system with everything that belongs to it, and takes it out of its incidents. One outbox row for
-- each of these, whatever their status, and one for the system. Needs lock_incidents.sql, lock_last.sql and
-- lock_rest.sql before it in the transaction.
-- $1 system; $2 actor
with concerned as materialized (
	select i.*,
		array(select s.system_id from incident_systems s where s.incident_id = i.id
			order by s.position, s.system_id)::text[] as systems
	from incidents i
	where i.id in (select s.incident_id from incident_systems s where s.system_id = $1)
), removed as (
	delete from incident_systems where system_id = $1
), touched as (
	update incidents i set updated_at = now() from concerned c where i.id = c.id
), incidents_told as (
	insert into events (kind, subject, action, systems, previous, next, actor)
	select 'incident.updated', id, 'updated', array_remove(systems, $1),
		incident_state(status, severity, title, description, suppress_notifications, health_override,
			systems),
		incident_state(status, severity, title, description, suppress_notifications, health_override,
			array_remove(systems, $1)), $2
	from concerned order by id
), gone as (
	delete from systems where id = $1 returning id, name, description, discovered
)
insert into events (kind, subject, action, systems, previous, actor)
select 'catalog.system.deleted', id, 'deleted', array[id],
	jsonb_build_object('name', name, 'description', description, 'discovered', discovered), $2
from gone
