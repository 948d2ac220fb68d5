-- Holds a system's row against everybody who would open an incident about it, but for the few that slip by (deleter.h):
-- second step of the end of a deletion.
-- $1 system
select id from systems where id = $1 for update
