-- A node stops.
-- $1 id
delete from nodes where id = $1::uuid
