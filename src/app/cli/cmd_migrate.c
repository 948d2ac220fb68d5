/* app/cli/cmd_migrate.c: tocsin migrate. */
#include "app/cli/command.h"
#include "app/config.h"
#include "app/database.h"
#include "base/macro.h"
#include "pg/migrate.h"

static int migrate(const struct tc_command *command, const struct tc_config *config, bool json)
{
	struct tc_database database;
	struct tocsin_error error;
	unsigned applied = 0;
	unsigned version = tc_migrations[tc_migrations_count - 1].version;
	int result = tc_database_init(&database, config, TC_DATABASE_COMMAND, &error);

	if (result != TOCSIN_OK)
		return tc_command_failed_start(command, &error);
	result = tc_database_migrate(&database, &applied, &error);
	tc_database_deinit(&database);
	if (result != TOCSIN_OK)
		return tc_command_failed(command, &error);
	if (json)
		printf("{\"applied\": %u, \"version\": %u}\n", applied, version);
	else if (applied)
		printf("%u migration%s applied; the database is at version %u\n", applied,
		       TC_PLURAL(applied), version);
	else
		printf("nothing to do; the database is at version %u\n", version);
	return tc_command_finish();
}

int tc_cmd_migrate(const struct tc_command *command, int argc, char **argv)
{
	struct tc_config config;
	bool json = false;
	int status = TC_EXIT_OK;

	if (!tc_command_only_json(command, argc, argv, &json, &status))
		return status;
	status = tc_command_configure(command, &config);
	if (status != TC_EXIT_OK)
		return status;
	status = migrate(command, &config, json);
	tc_config_deinit(&config);
	return status;
}
