/* app/main.c: the program `tocsin`: finding the command that is meant (command_table.c). */
#include "app/command.h"
#include <string.h>

static void print_commands(FILE *out, const char *group)
{
	size_t length = group ? strlen(group) : 0;

	fprintf(out, "usage: tocsin COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < tc_commands_count; i++) {
		if (!group || (strncmp(tc_commands[i].name, group, length) == 0 &&
			       tc_commands[i].name[length] == ' '))
			fprintf(out, "  %-16s  %s\n", tc_commands[i].name, tc_commands[i].summary);
	}
	fprintf(out, "\ntocsin COMMAND --help says more.\n");
}

/* The command that the first words name; *ret_words says how many they are. */
static const struct tc_command *find_command(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < tc_commands_count; i++) {
		const char *name = tc_commands[i].name, *space = strchr(name, ' ');

		if (!space && strcmp(argv[1], name) == 0) {
			*ret_words = 1;
			return &tc_commands[i];
		}
		if (space && argc > 2 && strlen(argv[1]) == (size_t)(space - name) &&
		    strncmp(argv[1], name, (size_t)(space - name)) == 0 &&
		    strcmp(argv[2], space + 1) == 0) {
			*ret_words = 2;
			return &tc_commands[i];
		}
	}
	return NULL;
}

static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < tc_commands_count; i++) {
		if (strncmp(tc_commands[i].name, word, length) == 0 &&
		    tc_commands[i].name[length] == ' ')
			return true;
	}
	return false;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int main(int argc, char **argv)
{
	const struct tc_command *command;
	int words;

	if (argc < 2) {
		print_commands(stderr, NULL);
		return TC_EXIT_USAGE;
	}
	command = find_command(argc, argv, &words);
	if (command)
		return command->run(command, argc - words, argv + words);
	if (is_help(argv[1]) || (is_group(argv[1]) && argc > 2 && is_help(argv[2]))) {
		print_commands(stdout, is_help(argv[1]) ? NULL : argv[1]);
		return tc_command_finish();
	}
	if (is_group(argv[1])) {
		fprintf(stderr,
			argc > 2 ? "tocsin %s: there is no command \"%s\"\n" : "tocsin %s: what?\n",
			argv[1], argc > 2 ? argv[2] : "");
		print_commands(stderr, argv[1]);
		return TC_EXIT_USAGE;
	}
	fprintf(stderr, "tocsin: there is no command \"%s\"\n", argv[1]);
	print_commands(stderr, NULL);
	return TC_EXIT_USAGE;
}
