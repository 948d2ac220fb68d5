/* app/main.c: the program `tocsin`: finding the command that is meant (command_table.c). */
#include "app/cli/command.h"
#include "app/cli/remote.h"
#include "base/macro.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int run(const struct tc_command *command, int argc, char **argv)
{
	if (command->remote && (!command->run || tc_remote_is_wanted(argc, argv)))
		return tc_remote_run(command, argc, argv);
	return command->run(command, argc, argv);
}

static char help[] = "help", version[] = "version"; /* argv's words are not const */

/* What is expected of every program; each is a command here: `tocsin --help incident` is `tocsin help incident`. */
static const struct {
	const char *option;
	char *command;
} as_options[] = {{"--help", help}, {"-h", help}, {"--version", version}, {"-V", version}};

static char *replace_option(char *word)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(as_options); i++)
		if (strcmp(word, as_options[i].option) == 0)
			return as_options[i].command;
	return word;
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
	if (words < argc && strcmp(replace_option(argv[words]), help) == 0) {
		tc_command_list(stdout, group[0] ? group : NULL);
		return tc_command_finish();
	}
	if (words == argc) {
		if (group[0])
			fprintf(stderr, "tocsin %s: what?\n", group);
		tc_command_list(stderr, group[0] ? group : NULL);
		return TC_EXIT_USAGE;
	}
	tc_command_say("tocsin%s%s: %s \"%s\"", group[0] ? " " : "", group,
		       argv[words][0] == '-' ? "options follow a command, here is none before"
					     : "there is no command",
		       argv[words]);
	tc_command_say("try: tocsin help%s%s", group[0] ? " " : "", group);
	return TC_EXIT_USAGE;
}

/* A descriptor that was closed (tocsin ... >&-) would be that of the next socket or file, and what is printed go
 * there. Open the wrong way, so that reading or writing fails as if it were closed. */
static void fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(TC_EXIT_FAILED); /* nobody could be told */
}

int main(int argc, char **argv)
{
	int words = 0;
	const struct tc_command *command;

	fill_standard_descriptors();
	if (argc > 1)
		argv[1] = replace_option(argv[1]);
	command = tc_command_find(argv + 1, argc - 1, &words);
	if (!command)
		return explain(argc, argv);
	return run(command, argc - words, argv + words);
}
