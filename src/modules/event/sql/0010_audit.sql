-- The audit trail: events, copied from the outbox by a durable reader. It is kept longer than the outbox, and
-- has the indexes that people need and that creates should not pay for.
create table audit (
	sequence bigint primary key,
	time timestamptz not null,
	kind text not null,
	subject text not null,
	action text not null,
	systems text[] not null,
	previous jsonb,
	next jsonb,
	actor text
);
create index audit_subject on audit (subject, sequence);
create index audit_actor on audit (actor, sequence) where actor is not null;
comment on table audit is 'Who changed what, when: a copy of the outbox';
comment on column audit.sequence is 'events.sequence: the order of the list, to the moment';
comment on column audit.time is 'When the transaction of the change began';
comment on column audit.kind is 'incident.created, catalog.system.deleted, ...';
comment on column audit.subject is 'Id of the thing that changed';
comment on column audit.action is 'What became of it: created, updated, ...';
comment on column audit.systems is 'Systems of the subject then';
comment on column audit.previous is 'State before; null for a creation';
comment on column audit.next is 'State after; null for a deletion';
comment on column audit.actor is 'Who did it: "key:<uuid>", "user:<uuid>", "source:<name>"; null: nobody who is known';

create function audit_document(audit) returns text language sql stable parallel safe as $$
	select concat('{"id":"', $1.sequence, '","at":"', tocsin_timestamp($1.time),
		'","kind":', to_json($1.kind), ',"subject":', to_json($1.subject),
		',"action":', to_json($1.action), ',"systemIds":', to_json($1.systems),
		',"previous":' || $1.previous::text, ',"next":' || $1.next::text,
		',"actor":' || to_json($1.actor)::text, '}')
	$$;
comment on function audit_document is 'JSON of an entry of the audit trail';

create view audit_unread as
select sequence, time, kind, subject, action, systems, previous, next, actor from events
where (transaction, sequence) > ((select transaction from event_readers where name = 'audit'),
	(select position from event_readers where name = 'audit'));
comment on view audit_unread is 'Events that are not copied to the audit trail yet';
