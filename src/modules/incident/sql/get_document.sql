-- An incident as lists show it.
-- $1 id
-- columns: document
select document from incident_documents where id = $1::uuid
