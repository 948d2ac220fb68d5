/* app/direct.c: see direct.h. */
#include "app/direct.h"

#include "app/config.h"
#include "app/database.h"
#include "app/pools.h"

static int with_pool(const struct tc_config *config, tc_direct_fn run, void *context,
		     struct tocsin_error *error)
{
	struct tc_database database;
	struct tocsin_pool *pool = NULL;
	int result = tc_database_init(&database, config, TC_DATABASE_COMMAND, error);

	if (result != TOCSIN_OK)
		return result;
	result = tc_database_migrate(&database, NULL, error);
	if (result == TOCSIN_OK)
		result = tc_pools_new(&pool, config, database.conninfo, TOCSIN_POOL_WORK, 1, error);
	if (result == TOCSIN_OK)
		result = run(context, pool, error);
	tocsin_pool_free(pool);
	tc_database_deinit(&database);
	return result;
}

int tc_direct_run(const struct tc_command *command, tc_direct_fn run, void *context)
{
	struct tc_config config;
	struct tocsin_error error;
	int result, status = tc_command_configure(command, &config);

	if (status != TC_EXIT_OK)
		return status;
	result = with_pool(&config, run, context, &error);
	tc_config_deinit(&config);
	if (result != TOCSIN_OK)
		return tc_command_failed(command, &error);
	return tc_command_finish();
}
