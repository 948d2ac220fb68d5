-- Copies a span of the outbox into the audit trail. A row that is there was copied before a dump was restored.
-- $1, $2 transaction and sequence it begins after; $3, $4 those it ends with
insert into audit (sequence, time, kind, subject, action, systems, previous, next, actor)
select sequence, time, kind, subject, action, systems, previous, next, actor from events
where (transaction, sequence) > ($1::xid8, $2::bigint)
	and (transaction, sequence) <= ($3::xid8, $4::bigint)
on conflict (sequence) do nothing
