-- Holds an incident's row until the end of the transaction, so that the next statement sees its last state.
-- $1 id
select id from incidents where id = $1::uuid for update
