/* modules/auth/auth_gone.c: see auth.h, tc_auth_find_gone. */
#include "modules/auth/auth.h"

#include "core/store.h"
#include "pg/array.h"
#include "sql_app.h"

int tc_auth_find_gone(struct tocsin_pool *pool, const struct tc_auth_holder *holders, size_t count,
		      tc_auth_gone_fn gone, void *userdata, struct tocsin_error *error)
{
	TC_BUFFER ids = {0};
	TC_BUFFER roles = {0};
	const char *values[2];
	TC_RESULT *rows = NULL;
	int result;

	for (size_t i = 0; i < count; i++) {
		tc_array_append(&ids, holders[i].id);
		tc_array_append(&roles, holders[i].role);
	}
	values[0] = tc_array_finish(&ids);
	values[1] = tc_array_finish(&roles);
	if (!values[0] || !values[1])
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for callers");
	result = tc_store_read(pool, &tc_sql_auth_find_gone, values, &rows, error);
	if (result)
		return result;
	for (int i = 0; i < PQntuples(rows); i++)
		gone(PQgetvalue(rows, i, 0), userdata);
	return TOCSIN_OK;
}
