/* pg/cluster_strays.h: see cluster_strays.c. */
#pragma once

#include "pg/cluster_internal.h"

/* Ends every process left of an earlier postmaster of this cluster, and removes its pid file. Blocks,
 * for half a minute at the very most. The caller owns the data directory. */
int tc_strays_end(const struct tc_place *place, struct tocsin_error *error);
