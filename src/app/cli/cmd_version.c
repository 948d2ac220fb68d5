/* app/cli/cmd_version.c: tocsin version. */
#include "app/cli/command.h"
#include "app/version.h"
#include <libpq-fe.h>

int tc_cmd_version(const struct tc_command *command, int argc, char **argv)
{
	bool json = false;
	int status = TC_EXIT_OK;

	if (!tc_command_only_json(command, argc, argv, &json, &status))
		return status;
	if (json)
		printf("{\"version\": \"%s\", \"libpq\": %d}\n", TC_VERSION, PQlibVersion());
	else
		printf("tocsin %s\n", TC_VERSION);
	return tc_command_finish();
}
