/* app/pools.h: pools as the settings want them. */
#pragma once

#include "app/config.h"
#include <tocsin/tocsin.h>

/* Makes a pool of the purpose; `max` 0 takes the setting's. A connection that dies is logged. */
int tc_pools_new(struct tocsin_pool **ret_pool, const struct tc_config *config,
		 const char *conninfo, enum tocsin_pool_purpose purpose, unsigned max,
		 struct tocsin_error *error);

/* The connections of a node that events have to themselves, so that live signals do not wait for work: one
 * reads, one sends hints. */
#define TC_POOLS_EVENTS_MAX 2u
int tc_pools_new_events(struct tocsin_pool **ret_pool, const struct tc_config *config,
			const char *conninfo, struct tocsin_error *error);
