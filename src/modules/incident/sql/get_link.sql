-- A link.
-- $1 incident; $2 link
-- columns: document
select incident_link_document(l) as document
from incident_links l where l.incident_id = $1::uuid and l.id = $2::uuid
