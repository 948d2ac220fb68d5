-- A hint for every node (core/hints.h).
-- $1 payload
select pg_notify('tocsin', $1)
