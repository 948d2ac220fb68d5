-- A system as lists show it.
-- $1 system
-- columns: document
select system_document(s) as document from systems s where s.id = $1
