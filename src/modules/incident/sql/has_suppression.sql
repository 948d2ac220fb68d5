-- Whether an open incident of the system suppresses notifications.
-- $1 system
-- columns: document
select json_build_object('suppressed', exists (
	select from incident_systems s join incidents i on i.id = s.incident_id
	where s.system_id = $1 and s.is_open and i.suppress_notifications)) as document
