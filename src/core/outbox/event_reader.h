/* core/outbox/event_reader.h: durable readers of the outbox: each has a name and a place in table
 * `event_readers`, gets every event in order, and goes on where it was after a restart, on whatever node.
 *
 * Model. Every node has a thread for each reader; an advisory lock lets one of them work at a time. It takes
 * the next span of events and calls `handle` in a transaction, which also moves the reader's place: so what
 * `handle` writes to the database happens exactly once an event, and anything else it does happens at least once.
 * It is called again with the same events when it fails, after TC_EVENT_READER_RETRY_MS, for ever: the lag
 * (metrics) shows that it does. Events are not removed before every reader has them.
 *
 * The transaction holds back every reader of the outbox once it has written: keep `handle` short. Slow work
 * (mail, webhooks) is to be written to a table of one's own here, and done from there.
 *
 * Threads: wake is for any; `handle` runs on the reader's thread. */
#pragma once

#include "core/outbox/events.h"

#define TC_EVENT_READER_LOOK_MS  1000u /* looks at least so often, because a wake may be lost */
#define TC_EVENT_READER_RETRY_MS 500u

struct tc_event_reader;
struct tc_outbox;

/* Events after `from`, up to and including `to`. */
struct tc_event_span {
	struct tc_event_position from, to;
	unsigned count;
};

struct tc_event_reader_options {
	const char *name;         /* constant; at most 60 bytes */
	const char *thread_name;  /* constant; at most 15 bytes */
	struct tocsin_pool *pool; /* borrowed; the work pool */
	struct tc_outbox *outbox; /* borrowed; wakes the reader; not started yet */
	unsigned batch_max;       /* events a transaction; 0: TC_EVENTS_MAX */
	/* Between the beginnings of two passes at least, below TC_EVENT_READER_LOOK_MS. A pass does what there is when it
	 * comes to an end of it. */
	unsigned pace_ms;
	bool begins_now;    /* a new reader skips what there is; else it gets it all */
	bool writes_events; /* `handle` does: they are told after the commit */
	int (*handle)(struct tocsin_connection *connection, const struct tc_event_span *span,
		      void *userdata, struct tocsin_error *error);
	void *userdata;
};

/* Makes the reader's place, and starts the thread. Blocks. */
int tc_event_reader_new(struct tc_event_reader **ret_reader,
			const struct tc_event_reader_options *options, struct tocsin_error *error);
/* Finishes the span under way, joins the thread. When the outbox has stopped, and is not freed. NULL allowed. */
struct tc_event_reader *tc_event_reader_free(struct tc_event_reader *reader);
void tc_event_reader_wake(struct tc_event_reader *reader);
