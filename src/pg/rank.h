/* pg/rank.h: the order of acquisition, kept per thread: lock before work, never two of a purpose.
 * Private to pg/ and lock/. */
#pragma once

#include <tocsin/pool.h>

/* TOCSIN_E_RANK, naming both pools, if this thread may not take a connection of `pool` now. */
int tc_rank_check(const struct tocsin_pool *pool, struct tocsin_error *error);
/* The same for waiting for a further key on a lock connection this thread holds: refused while it
 * holds a work connection, because no deadlock detector sees that circle. */
int tc_rank_check_nested(const struct tocsin_pool *lock_pool, struct tocsin_error *error);

void tc_rank_enter(const struct tocsin_connection *connection);
void tc_rank_leave(const struct tocsin_connection *connection);

/* From pool.c. */
const char *tc_pool_name(const struct tocsin_pool *pool);
enum tocsin_pool_purpose tc_pool_purpose(const struct tocsin_pool *pool);
