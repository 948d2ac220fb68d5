-- The outbox (core/outbox/events.h).
--
-- One row a change. `kind` is what listeners subscribe to; the row also stands for the event
-- `incident.lifecycle.changed {incidentId, systemIds, action}` = (subject, systems, action), so that a
-- change needs one row and not two. A change that is nothing but lifecycle (a comment, a health
-- override) has that name as its kind.
--
--   kind                        action
--   incident.created            created
--   incident.resolved           resolved
--   incident.updated            updated, reopened
--   incident.deleted            deleted
--   incident.lifecycle.changed  commented, updated
--
-- Order. Sequence numbers commit out of order, and so do transaction ids; but a transaction below
-- pg_snapshot_xmin is over. So readers go by (transaction, sequence), never by sequence alone:
--   where (transaction, sequence) > (:transaction, :sequence)
--     and transaction < pg_snapshot_xmin(pg_current_snapshot())
--   order by transaction, sequence
-- Nothing that commits later can then come before what was read.
create table events (
	sequence bigint generated always as identity,
	transaction xid8 not null default pg_current_xact_id(),
	time timestamptz not null default now(),
	kind text not null,
	subject uuid not null,
	action text not null,
	systems text[] not null default '{}',
	previous jsonb,
	next jsonb,
	actor text,
	primary key (transaction, sequence)
);
comment on table events is 'The outbox: one append-only row a change, written in its transaction';
comment on column events.sequence is 'Unique; grows within a transaction';
comment on column events.transaction is 'The transaction that wrote it; readers stay below pg_snapshot_xmin';
comment on column events.time is 'When that transaction began';
comment on column events.kind is 'What listeners subscribe to: incident.created, ...';
comment on column events.subject is 'Id of the thing that changed';
comment on column events.action is 'Lifecycle action: created, updated, commented, resolved, reopened, deleted';
comment on column events.systems is 'Systems of the subject after the change; before it, for a deletion';
comment on column events.previous is 'State before: {status, severity, ...}; null for a creation';
comment on column events.next is 'State after; null for a deletion';
comment on column events.actor is 'Who did it: "key:<uuid>", "source:<name>"; null: nobody who is known';

create table event_readers (
	name text primary key,
	transaction xid8 not null default '0',
	position bigint not null default 0,
	updated_at timestamptz not null default now()
);
comment on table event_readers is 'How far each reader of the outbox has come; a crash repeats, never loses';
comment on column event_readers.name is 'The reader';
comment on column event_readers.transaction is 'events.transaction of the last event done';
comment on column event_readers.position is 'events.sequence of the last event done';
comment on column event_readers.updated_at is 'When the reader last moved';
