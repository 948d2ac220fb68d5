/* app/stop_watch.h: the bound of a stop. A statement that waits for somebody else's lock, or a request that waits
 * for a key, would hold up a stop as long as that lasts; after a while they are given up. */
#pragma once

struct tc_stop_watch;
struct tocsin_pool;

#define TC_STOP_POOLS_MAX 3u

/* From `patience_ms` on, until it is freed, the pools (borrowed; NULL ones are left out; at most
 * TC_STOP_POOLS_MAX) are closed and their statements cancelled, again and again. NULL when it cannot be
 * made, which is logged: the stop is then unwatched. Does not block. */
struct tc_stop_watch *tc_stop_watch_new(struct tocsin_pool *const *pools, unsigned count,
					unsigned patience_ms);
/* Joins its thread. Before the pools are freed. NULL allowed, returns NULL. */
struct tc_stop_watch *tc_stop_watch_free(struct tc_stop_watch *watch);
