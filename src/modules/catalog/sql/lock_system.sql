-- Holds a system's row until the end of the transaction, so that the next statement sees its last state.
-- Incidents may still be opened about it: their foreign keys take a weaker lock that goes together with this.
-- $1 system
select id from systems where id = $1 for no key update
