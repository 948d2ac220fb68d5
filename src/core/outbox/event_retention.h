/* core/outbox/event_retention.h: removing what is old, in small pieces, by one node at a time.
 *
 * Model. A thread of each node looks every so often: a tenth of the shortest age, but at least every minute and at
 * most every second. It runs each row of its table until nothing old is left, TC_EVENT_RETENTION_BATCH rows a
 * transaction, each under the lock "events.retention", which is tried and lives in that transaction: a session lock
 * would take a connection from the lock pool for as long as there is work, of which there may be one only. */
#pragma once

#include <stdint.h>
#include <tocsin/pool.h>

struct tc_event_retention;
struct tc_sql;

#define TC_EVENT_RETENTION_BATCH     5000u
#define TC_EVENT_RETENTION_RULES_MAX 4u

/* `remove` has parameters $1 age in seconds and $2 most rows, and answers how many it removed. */
struct tc_event_retention_rule {
	const struct tc_sql *remove;
	unsigned age_s;
};

struct tc_event_retention_options {
	struct tocsin_pool *pool; /* borrowed; the work pool */
	struct tc_event_retention_rule rules[TC_EVENT_RETENTION_RULES_MAX];
	unsigned rules_count;
};

int tc_event_retention_new(struct tc_event_retention **ret_retention,
			   const struct tc_event_retention_options *options,
			   struct tocsin_error *error);
/* Joins the thread after the piece under way. NULL allowed, returns NULL. */
struct tc_event_retention *tc_event_retention_free(struct tc_event_retention *retention);
uint64_t tc_event_retention_removed(struct tc_event_retention *retention);
