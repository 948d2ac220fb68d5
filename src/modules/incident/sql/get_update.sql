-- An update with its edit history.
-- $1 incident; $2 update
-- columns: document
select incident_update_document(u, true) as document
from incident_updates u where u.incident_id = $1::uuid and u.id = $2::uuid
