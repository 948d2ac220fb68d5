/* core/outbox/events.h: the outbox. A row of table `events` is written in the transaction of the change it
 * tells: sequence, time, kind, subject id, action, previous and next state, actor. Append-only.
 * SQL that changes things writes its events itself, in the same statement where it can.
 *
 * Whoever commits a change has to tell the node (core/outbox/outbox.h). For calls of the procedure table the
 * answer does that (core/procedure/call.c); other work calls tc_outbox_committed after its commit.
 *
 * Threads: nothing here has shared state. What takes a connection blocks for the answer. */
#pragma once

#include "pg/query.h"
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/pool.h>

/* Where an event stands: sql/0002_events.sql says why the transaction comes first, and
 * sql/0029_events_order.sql which one it is. */
struct tc_event_position {
	uint64_t transaction, sequence;
};

/* Below, equal, above zero. */
int tc_event_position_compare(const struct tc_event_position *a, const struct tc_event_position *b);
/* As text, for statements: two numbers. */
#define TC_EVENT_NUMBER_SIZE 21
void tc_event_position_format(const struct tc_event_position *position,
			      char ret_transaction[static TC_EVENT_NUMBER_SIZE],
			      char ret_sequence[static TC_EVENT_NUMBER_SIZE]);

struct tc_event {
	struct tc_event_position position;
	const char *kind;      /* incident.created, catalog.system.deleted, ... */
	const char *subject;   /* id of what changed */
	bool is_brief;         /* what follows was not read, and is NULL */
	const char *action;    /* created, updated, ... */
	const char *systems;   /* JSON array of ids */
	const char *document;  /* JSON for streams: event `kind`; NULL: streams are not told so */
	const char *lifecycle; /* JSON for streams: incident.lifecycle.changed; NULL: not told */
};

/* The most events that are fetched at once. */
#define TC_EVENTS_MAX 500u

struct tc_events {
	PGresult *rows; /* owned; the texts live in it */
	unsigned count;
	struct tc_event events[TC_EVENTS_MAX];
};

/* What else a reader has to know of a page. */
struct tc_event_outlook {
	/* Everything after the position was there when the page was read. If not, something was removed, or the
	 * position is of another database, or of what this one lost: the page may have holes. */
	bool is_known;
	bool is_held;                     /* there are events that wait for a transaction to end */
	struct tc_event_position removed; /* the last event that was removed */
};

struct tc_event_look {
	/* Of an event that was read, or of the last that was removed before it could be. */
	struct tc_event_position after;
	bool is_again; /* the event of the position is wanted once more */
	bool is_brief; /* costs the database little (measured: 0.06 ms a page, and 2.1 ms with documents) */
};

/* The next events after a position, in order, TC_EVENTS_MAX at most, and their outlook, in one round trip; those
 * that something may still come before are left for later. NOT_FOUND: event_horizon lost its row. On success deinit
 * *ret_events. */
int tc_events_look(struct tocsin_connection *connection, const struct tc_event_look *wanted,
		   struct tc_events *ret_events, struct tc_event_outlook *ret_outlook,
		   struct tocsin_error *error);
void tc_events_deinit(struct tc_events *events);

/* Reads the position in columns `column` and `column` + 1 of a row. */
struct tc_event_position tc_event_position_get(const PGresult *rows, int row, int column);
/* The same of the one row that a statement on event_horizon gives; TOCSIN_E_NOT_FOUND where the table lost its row. */
int tc_event_horizon_get(const PGresult *rows, int column, struct tc_event_position *ret_position,
			 struct tocsin_error *error);

/* How far a reader is behind. */
#define TC_EVENT_READERS_MAX 16
struct tc_event_lag {
	char reader[64];
	double seconds; /* age of the oldest event it has not read; 0: it has read all */
	int64_t count;  /* events it has not read; counting stops at a million */
};

/* The lags of all durable readers (table `event_readers`), and of `live`, which is this node's own
 * outbox. *ret_count is at most TC_EVENT_READERS_MAX. */
int tc_events_get_lags(struct tocsin_connection *connection, const struct tc_event_position *live,
		       struct tc_event_lag ret_lags[static TC_EVENT_READERS_MAX],
		       unsigned *ret_count, struct tocsin_error *error);
