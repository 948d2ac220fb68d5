/* core/events.c: see events.h; the order of events is in sql/0002_events.sql. */
#include "core/events.h"

#include "pg/query.h"
#include "sql_app.h"
#include <stdlib.h>

int tc_events_get_lag(struct tocsin_connection *connection, double *ret_seconds, int64_t *ret_count,
		      struct tocsin_error *error)
{
	TC_RESULT *result = NULL;
	int r = tc_query(connection, &tc_sql_core_events_lag, NULL, &result, error);

	if (r)
		return r;
	*ret_seconds = strtod(PQgetvalue(result, 0, 0), NULL);
	*ret_count = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
	return TOCSIN_OK;
}
