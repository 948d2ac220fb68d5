/* modules/alert/alert_batch.h: one batch of alerts in one transaction. Blocks. */
#pragma once

#include "modules/alert/alert_request.h"
#include <tocsin/pool.h>

struct tc_alert_policy {
	bool auto_resolve, reject_unknown_systems;
	unsigned wait_timeout_ms; /* for a key, and for rows that people are changing */
};

/* A batcher's `run`: every item is a struct tc_alert's. Sets the items' states and the alerts' outcomes;
 * *ret_incidents_resolved counts incidents. On failure nothing was committed, or, where the connection was
 * lost, that is not known: running the same again is right in either case. */
int tc_alert_batch_run(const struct tc_alert_policy *policy, struct tocsin_connection *connection,
		       struct tc_item **items, unsigned count, const char *wait_key,
		       unsigned *ret_incidents_resolved, struct tocsin_error *error);
