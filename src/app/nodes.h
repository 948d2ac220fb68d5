/* app/nodes.h: this node among those that share the database.
 *
 * Model. A thread tells the table `nodes` every TC_NODES_BEAT_MS that we are there, and learns what all
 * nodes may open together and how far readers of the outbox are behind. What it learned last is kept for
 * metrics, which so answer even while the database does not. Too many connections for the server are
 * warned of when that begins, with the number to change. */
#pragma once

#include "core/outbox/events.h"
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/pool.h>

#define TC_NODES_BEAT_MS 5000u

struct tc_nodes;
struct tc_outbox;

struct tc_nodes_status {
	bool is_known; /* false: the database did not answer the last time */
	long nodes, connections_wanted, connections_available;
	struct tc_event_lag lags[TC_EVENT_READERS_MAX]; /* of readers of the outbox */
	unsigned lags_count;
};

struct tc_nodes_options {
	struct tocsin_pool *work_pool; /* borrowed */
	struct tc_outbox *outbox;      /* borrowed; NULL: this node reads no events */
	unsigned pool_max, lock_pool_max;
};

/* Registers this node (blocks for that) and starts the thread. */
int tc_nodes_new(struct tc_nodes **ret_nodes, const struct tc_nodes_options *options,
		 struct tocsin_error *error);
/* Takes this node out of the table, if the database answers, and joins the thread. NULL allowed. */
struct tc_nodes *tc_nodes_free(struct tc_nodes *nodes);
void tc_nodes_get_status(struct tc_nodes *nodes, struct tc_nodes_status *ret_status);
