/* app/cmd_version.c: tocsin version. */
#include "app/command.h"
#include "app/version.h"
#include <libpq-fe.h>

int tc_cmd_version(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, TC_HELP_OPTION, {0}};
	bool json = false;
	int option, status = TC_EXIT_OK;

	while ((option = tc_command_option(command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status;
		json = true;
	}
	if (optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	if (json)
		printf("{\"version\": \"%s\", \"libpq\": %d}\n", TC_VERSION, PQlibVersion());
	else
		printf("tocsin %s\n", TC_VERSION);
	return tc_command_finish();
}
