/* app/pools.h: pools as the settings want them. */
#pragma once

#include "app/config.h"
#include <tocsin/tocsin.h>

/* Makes a pool of the purpose; `max` 0 takes the setting's. A connection that dies is logged. */
int tc_pools_new(struct tocsin_pool **ret_pool, const struct tc_config *config,
		 const char *conninfo, enum tocsin_pool_purpose purpose, unsigned max,
		 struct tocsin_error *error);
