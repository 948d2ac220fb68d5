-- What of the outbox is no longer there: who remembers an older position has missed something, and is to be told.
create table event_horizon (
	is_only boolean primary key default true check (is_only),
	transaction xid8 not null default '0',
	position bigint not null default 0
);
insert into event_horizon default values;
comment on table event_horizon is 'One row: how far old events were removed';
comment on column event_horizon.is_only is 'There is one row';
comment on column event_horizon.transaction is 'events.transaction of the last event removed';
comment on column event_horizon.position is 'events.sequence of the last event removed';
