/* app/cli/cmd_help.c: tocsin help: for people, as JSON for programs, and as the commands' part of tocsin(1). */
#include "app/cli/option.h"
#include "base/memory.h"
#include <string.h>

TC_DEFINE_CLEANUP(json_t *, json_decref);

/* --- JSON --- */

static json_t *describe_option(const struct tc_option *option)
{
	json_t *described =
		json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", option->name, "argument",
			  option->argument, "required", option->is_required, "repeatable",
			  option->is_repeatable, "help", option->help ? option->help : "");
	json_t *choices = option->choices ? json_array() : NULL;

	for (unsigned i = 0; choices && option->choices[i]; i++)
		json_array_append_new(choices, json_string(option->choices[i]));
	if (choices)
		json_object_set_new(described, "choices", choices);
	if (option->fallback[0])
		json_object_set_new(described, "default", json_string(option->fallback));
	return described;
}

static int print_json(void)
{
	TC_CLEANUP(json_decref) json_t *commands = json_array();

	for (size_t i = 0; i < tc_commands_count; i++) {
		struct tc_options options;
		char usage[512], summary[256];
		json_t *list = json_array();

		tc_option_usage(&tc_commands[i], usage, sizeof(usage));
		tc_option_summary(&tc_commands[i], summary, sizeof(summary));
		tc_options_init(&options, &tc_commands[i]);
		for (unsigned o = 0; o < options.count; o++)
			json_array_append_new(list, describe_option(&options.list[o]));
		json_array_append_new(commands, json_pack("{s:s, s:s, s:s, s:o}", "name",
							  tc_commands[i].name, "usage", usage,
							  "summary", summary, "options", list));
	}
	return tc_command_print_json(commands);
}

/* --- mdoc --- */

/* What begins with a dot or a quote, and every backslash, means something to roff; what looks like a macro
 * is one in the arguments of macros, which "\&" prevents. */
static void print_roff(const char *text)
{
	const char *start = text;

	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == ' ' && text > start && text[-1] == '.')
			putchar('\n'); /* a sentence, a line */
		else
			putchar(*text);
		if (*text == '\n' && (text[1] == '.' || text[1] == '\''))
			fputs("\\&", stdout);
	}
}

static void print_mdoc_option(const struct tc_option *option)
{
	char notes[256];

	printf(".It Fl \\&-%s", option->name);
	if (option->is_optional)
		printf(" Ns Oo = Ns Ar %s Oc", option->argument);
	else if (option->argument[0])
		printf(" Ns = Ns Ar %s", option->argument);
	printf("\n");
	print_roff(option->help);
	tc_option_notes(option, notes, sizeof(notes));
	print_roff(notes);
	putchar('\n');
}

static void print_mdoc_command(const struct tc_command *command)
{
	struct tc_options options;
	char usage[512], summary[256];

	tc_option_usage(command, usage, sizeof(usage));
	tc_option_summary(command, summary, sizeof(summary));
	printf(".Ss tocsin %s\n.D1 Nm Cm %s%s", command->name, command->name, *usage ? " No " : "");
	print_roff(usage);
	printf("\n.Pp\n");
	print_roff(summary);
	printf("\n");
	if (command->help) {
		printf(".Pp\n");
		print_roff(command->help);
	}
	tc_options_init(&options, command);
	if (options.count == 1)
		return; /* --help, as everywhere */
	printf(".Bl -tag -width Ds -compact\n");
	for (unsigned i = 0; i + 1 < options.count; i++)
		print_mdoc_option(&options.list[i]);
	printf(".El\n");
}

static int print_mdoc(void)
{
	for (size_t i = 0; i < tc_commands_count; i++)
		print_mdoc_command(&tc_commands[i]);
	return tc_command_finish();
}

/* --- people --- */

static int print_help(const struct tc_command *command, int count, char **words)
{
	int used = 0;
	const struct tc_command *found = tc_command_find(words, count, &used);
	char group[64] = "";

	if (found && found->run == tc_cmd_call && used + 1 == count)
		return tc_cmd_call_help(found, words[used]);
	if (found && used == count) {
		tc_command_help(found, stdout);
		return tc_command_finish();
	}
	if (count > 0 && !tc_command_is_group(words, count))
		return tc_command_misused(command, "there is no command \"%s\"", words[count - 1]);
	for (int i = 0; i < count; i++) {
		size_t length = strlen(group);

		snprintf(group + length, sizeof(group) - length, "%s%s", length ? " " : "",
			 words[i]);
	}
	tc_command_list(stdout, count > 0 ? group : NULL);
	return tc_command_finish();
}

int tc_cmd_help(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"mdoc", no_argument, NULL, 'm'},
						TC_HELP_OPTION,
						{0}};
	int option, form = 0, status = TC_EXIT_OK;

	while ((option = tc_command_option(command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status;
		form = option;
	}
	if (form && optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	if (form)
		return form == 'j' ? print_json() : print_mdoc();
	return print_help(command, argc - optind, argv + optind);
}
