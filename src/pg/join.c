/* pg/join.c: see join.h. */
#include "pg/join.h"

#include <assert.h>

static _Thread_local struct tocsin_connection *joined;

void tc_join_begin(struct tocsin_connection *connection)
{
	assert(!joined && connection);
	joined = connection;
}

void tc_join_end(void)
{
	joined = NULL;
}

struct tocsin_connection *tc_join_get(void)
{
	return joined;
}
