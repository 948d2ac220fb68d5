/* pg/pool_cancel.c: ending what a pool's connections are doing, from a thread that owns none of them.
 *
 * A connection belongs to the thread that acquired it; but libpq's cancel handle is a copy of its address
 * and secret, and may be made and used by any thread while the connection exists. Under the mutex every
 * connection in `all` does. */
#include "pg/pool_internal.h"
#include <stdlib.h>

#define REASON_SIZE 256

/* The busy ones' handles, owned by the caller, with their number; NULL when there are none. */
static PGcancel **take_handles(struct tocsin_pool *pool, unsigned *ret_count)
{
	TC_LOCKED(&pool->mutex);
	PGcancel **handles = NULL;
	unsigned count = 0;

	if (pool->stats.in_use > 0)
		handles = calloc(pool->stats.in_use, sizeof(handles[0]));
	if (!handles)
		return NULL;
	tc_list_each (node, &pool->all) {
		struct tocsin_connection *connection =
			tc_list_entry(node, struct tocsin_connection, all);

		if (!tc_list_is_empty(&connection->node) || count == pool->stats.in_use)
			continue; /* idle */
		handles[count] = PQgetCancel(connection->pg);
		count += handles[count] != NULL;
	}
	*ret_count = count;
	return handles;
}

unsigned tocsin_pool_cancel(struct tocsin_pool *pool)
{
	unsigned count = 0, told = 0;
	PGcancel **handles = take_handles(pool, &count);
	char reason[REASON_SIZE];

	/* The first that cannot be reached speaks for the rest, which would be waited for one by one. */
	while (told < count && PQcancel(handles[told], reason, sizeof(reason)))
		told++;
	for (unsigned i = 0; i < count; i++)
		PQfreeCancel(handles[i]);
	free(handles);
	return told;
}
