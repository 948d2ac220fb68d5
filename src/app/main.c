/* app/main.c: the program `tocsin`: finding the command that is meant (command_table.c). */
#include "app/command.h"
#include "app/remote.h"
#include <string.h>

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(const struct tc_command *command, int argc, char **argv)
{
	if (command->remote && (!command->run || tc_remote_is_wanted(argc, argv)))
		return tc_remote_run(command, argc, argv);
	return command->run(command, argc, argv);
}

/* The words begin the names of several commands, or none. */
static int explain(int argc, char **argv)
{
	char group[64] = "";
	int words = 1;

	while (words < argc && tc_command_is_group(argv + 1, words)) {
		size_t length = strlen(group);

		snprintf(group + length, sizeof(group) - length, "%s%s", length ? " " : "",
			 argv[words++]);
	}
	if (words < argc && is_help(argv[words])) {
		tc_command_list(stdout, group[0] ? group : NULL);
		return tc_command_finish();
	}
	if (words < argc)
		fprintf(stderr, "tocsin%s%s: there is no command \"%s\"\n", group[0] ? " " : "",
			group, argv[words]);
	else if (group[0])
		fprintf(stderr, "tocsin %s: what?\n", group);
	tc_command_list(stderr, group[0] ? group : NULL);
	return TC_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int words = 0;
	const struct tc_command *command = tc_command_find(argv + 1, argc - 1, &words);

	if (!command)
		return explain(argc, argv);
	return run(command, argc - words, argv + words);
}
