/* app/cmd_call.c: tocsin call: any procedure, its fields as options. What has no command of its own is
 * reached by this, too. */
#include "app/option.h"
#include "app/procedures.h"
#include "app/remote.h"
#include <string.h>

static void list_procedures(FILE *out)
{
	for (size_t i = 0; i < tc_procedure_tables_count; i++)
		for (const struct tc_procedure *row = tc_procedure_tables[i]; row->name; row++)
			fprintf(out, "  %-32s  %s\n", row->name, row->summary);
}

int tc_cmd_call(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	struct tc_remote remote = {.view = TC_VIEW_DETAIL};
	char name[96], summary[256];
	struct tc_command called = {.name = name, .summary = summary, .remote = &remote};
	const struct tc_procedure *procedure;
	int status = TC_EXIT_OK;

	if (argc > 1 && argv[1][0] == '-') {
		if (tc_command_option(command, argc, argv, options, &status) == TC_OPTION_END)
			return tc_command_misused(command, "a PROCEDURE is needed");
		if (status != TC_EXIT_OK)
			return status;
		printf("\nProcedures:\n");
		list_procedures(stdout);
		return tc_command_finish();
	}
	procedure = argc > 1 ? tc_procedure_find(argv[1]) : NULL;
	if (!procedure)
		return argc > 1 ? tc_command_misused(command, "there is no procedure \"%s\"",
						     argv[1])
				: tc_command_misused(command, "a PROCEDURE is needed");
	remote.procedure = procedure->name;
	snprintf(name, sizeof(name), "%s %s", command->name, procedure->name);
	snprintf(summary, sizeof(summary), "%s.", procedure->summary);
	return tc_remote_run(&called, argc - 1, argv + 1);
}
