-- A hint for every node (core/outbox/hints.h).
-- $1 payload
select pg_notify('tocsin', $1)
