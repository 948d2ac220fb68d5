-- Holds a group's row until the end of the transaction, so that the next statement sees its last state.
-- $1 group
select id from catalog_groups where id = $1::uuid for no key update
