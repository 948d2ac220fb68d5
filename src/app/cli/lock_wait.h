/* app/cli/lock_wait.h: getting a session lock, with waiting. */
#pragma once

#include <stdbool.h>
#include <tocsin/tocsin.h>

struct tc_lock_wait {
	struct tocsin_pool *pool; /* borrowed; purpose LOCK, at least two connections */
	const char *key;
	bool is_patient; /* false: try only once */
	bool has_timeout;
	unsigned timeout_ms;
	tocsin_lost_fn lost;
	void *userdata;
};

/* Blocks until the key is held, the timeout is over (LOCK_TIMEOUT), or at once (LOCK_BUSY). The caller
 * owns *ret_session. `locks` is the service whose session it becomes. */
int tc_lock_wait(struct tocsin_locks *locks, const struct tc_lock_wait *wait,
		 struct tocsin_session **ret_session, struct tocsin_error *error);
