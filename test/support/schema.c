/* test/support/schema.c: see schema.h. */
#include "support/schema.h"

#include "base/buffer.h"
#include "pg/migrate.h"
#include "sql_app.h"
#include "support/crew.h"
#include "support/postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

int tc_test_schema_setup(void **state)
{
	struct tocsin_error error;

	if (tc_test_postgres_setup(state))
		return -1;
	if (tc_migrate(tc_test_conninfo(), tc_migrations, tc_migrations_count, TC_PATIENCE_MS, NULL,
		       &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

int tc_test_work_setup(void **state, unsigned connections, struct tocsin_pool **ret_pool)
{
	struct tocsin_pool_options options = {.name = "work",
					      .purpose = TOCSIN_POOL_WORK,
					      .max = connections,
					      .connection_timeout_ms = TC_PATIENCE_MS,
					      .idle_timeout_ms = TC_PATIENCE_MS};
	struct tocsin_error error;

	if (tc_test_schema_setup(state))
		return -1;
	options.conninfo = tc_test_conninfo();
	if (tocsin_pool_new(ret_pool, &options, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

int tc_test_work_teardown(void **state, struct tocsin_pool **pool)
{
	*pool = tocsin_pool_free(*pool);
	return tc_test_postgres_teardown(state);
}

int tc_test_clean(const char *tables)
{
	TC_BUFFER sql = {0};

	tc_buffer_append_format(&sql, "set client_min_messages = warning; truncate %s cascade",
				tables);
	free(tc_test_sql(sql.data));
	return 0;
}
