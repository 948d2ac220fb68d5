/* core/store.c: see store.h. */
#include "core/store.h"

#include <string.h>

#define READ_ATTEMPTS 2

int tc_store_run(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		 PGresult **ret_rows, struct tocsin_error *error)
{
	struct tocsin_connection *connection;
	int result = tocsin_pool_acquire(pool, &connection, error);

	if (result)
		return result;
	result = tc_query(connection, sql, values, ret_rows, error);
	tocsin_pool_release(connection);
	return result;
}

int tc_store_read(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		  PGresult **ret_rows, struct tocsin_error *error)
{
	int result = TOCSIN_E_UNAVAILABLE;

	for (unsigned i = 0; i < READ_ATTEMPTS && result == TOCSIN_E_UNAVAILABLE; i++)
		result = tc_store_run(pool, sql, values, ret_rows, error);
	return result;
}

bool tc_store_blames_statement(const struct tocsin_error *error)
{
	/* Connections, the server's end or start, an idle session that was ended, a server that may only read. */
	static const char *const others[] = {"08", "57P", "25P03", "25006"};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(others); i++)
		if (strncmp(error->sqlstate, others[i], strlen(others[i])) == 0)
			return false;
	return error->sqlstate[0] != '\0';
}

int tc_store_finish(const struct tc_buffer *json, struct tocsin_error *error)
{
	if (json->is_over)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"The answer would have more than %zu MiB: ask for less at once",
			TC_BUFFER_MAX_DEFAULT / ((size_t)1024 * 1024));
	return json->failed ? tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory") : TOCSIN_OK;
}

int tc_store_take(const PGresult *rows, int column, struct tc_buffer *ret_json,
		  struct tocsin_error *error)
{
	tc_buffer_append(ret_json, PQgetvalue(rows, 0, column),
			 (size_t)PQgetlength(rows, 0, column));
	return tc_store_finish(ret_json, error);
}
