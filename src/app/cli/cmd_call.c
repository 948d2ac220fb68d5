/* app/cli/cmd_call.c: tocsin call: any procedure, its fields as options. What has no command of its own is
 * reached by this, too. */
#include "app/cli/option.h"
#include "app/cli/remote.h"
#include "app/procedures.h"

static void list_procedures(FILE *out)
{
	for (size_t i = 0; i < tc_procedure_tables_count; i++)
		for (const struct tc_procedure *row = tc_procedure_tables[i]; row->name; row++)
			if (!tc_procedure_not_called(row))
				fprintf(out, "  %-32s  %s\n", row->name, row->summary);
}

/* NULL where there is none, or none that may be called; then *ret_status is the exit status. */
static const struct tc_procedure *find(const struct tc_command *command, const char *name,
				       int *ret_status)
{
	const struct tc_procedure *procedure = name ? tc_procedure_find(name) : NULL;
	const char *reason = procedure ? tc_procedure_not_called(procedure) : NULL;

	if (procedure && !reason)
		return procedure;
	if (!name)
		*ret_status = tc_command_misused(command, "a PROCEDURE is needed");
	else if (!procedure)
		*ret_status = tc_command_misused(command, "there is no procedure \"%s\"", name);
	else
		*ret_status = tc_command_misused(command, "%s cannot be called: %s", name, reason);
	return NULL;
}

int tc_cmd_call_help(const struct tc_command *command, const char *name)
{
	struct tc_remote_call call;
	int status = TC_EXIT_OK;
	const struct tc_procedure *procedure = find(command, name, &status);

	if (!procedure)
		return status;
	tc_remote_call_init(&call, procedure);
	tc_command_help(&call.command, stdout);
	return tc_command_finish();
}

int tc_cmd_call(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	const struct tc_procedure *procedure;
	struct tc_remote_call call;
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
	procedure = find(command, argv[1], &status);
	if (!procedure)
		return status;
	tc_remote_call_init(&call, procedure);
	return tc_remote_run(&call.command, argc - 1, argv + 1);
}
