/* modules/auth/auth_store.h: what the files of this module that query share. Private to auth/. */
#pragma once

#include "base/buffer.h"
#include "pg/query.h"

/* Runs one statement on a connection of its own. Blocks. */
int tc_auth_store_run(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		      PGresult **ret_result, struct tocsin_error *error);
/* Takes column 0 of row 0 as the answer. */
int tc_auth_store_take_json(const PGresult *rows, struct tc_buffer *ret_json,
			    struct tocsin_error *error);
/* INVALID for a page that nobody can have asked for. Fills the limit as text. */
int tc_auth_store_check_page(unsigned limit, unsigned limit_max, const char *cursor,
			     char ret_limit[static 12], struct tocsin_error *error);
bool tc_auth_store_is_role(const char *role);
/* NULL for nobody. */
static inline const char *tc_auth_store_actor(const char *actor)
{
	return actor && actor[0] ? actor : NULL;
}
