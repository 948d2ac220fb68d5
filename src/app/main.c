/* app/main.c: the program `tocsin`: one table of commands, and finding the one that is meant. */
#include "app/command.h"
#include "base/macro.h"
#include <string.h>

static const struct tc_command commands[] = {
	{"serve", "", "Runs the server.", tc_cmd_serve, NULL, true},
	{"migrate", "[--json]", "Brings the database up to date, and ends.", tc_cmd_migrate,
	 "A server does this by itself when it starts.\n"
	 "  --json  print {\"applied\": N, \"version\": N}\n",
	 false},
	{"key create", "[--role=ROLE] [--json] NAME", "Makes an API key, and prints it once.",
	 tc_cmd_key_create,
	 "  --role=ROLE  admin, manager (the default) or viewer\n"
	 "  --json       print the key with everything known about it\n",
	 false},
	{"key list", "[--json]", "Lists the API keys; their secrets cannot be shown again.", tc_cmd_key_list,
	 "  --json  print JSON\n", false},
	{"key revoke", "ID", "Revokes an API key for good, on every node.", tc_cmd_key_revoke, NULL, false},
	{"incident list", "[--system=ID] [--status=STATUS] [--all] [--limit=N] [--url=URL] [--json]",
	 "Lists incidents, newest first: the open ones, unless you say otherwise.", tc_cmd_incident_list,
	 "  --system=ID      only those of this system\n"
	 "  --status=STATUS  investigating, identified, fixing, monitoring or resolved\n"
	 "  --all            resolved ones, too\n"
	 "  --limit=N        at most N (1 to 500; default 50)\n"
	 "  --url=URL        the server (default: TOCSIN_URL, else http://127.0.0.1:3000)\n"
	 "  --json           print JSON\n"
	 "TOCSIN_KEY holds the API key; without one you are anonymous.\n",
	 false},
	{"incident show", "[--url=URL] [--json] ID", "Shows one incident with its updates.",
	 tc_cmd_incident_show,
	 "  --url=URL  the server (default: TOCSIN_URL, else http://127.0.0.1:3000)\n"
	 "  --json     print JSON\n"
	 "TOCSIN_KEY holds the API key; without one you are anonymous.\n",
	 false},
	{"incident create",
	 "[--severity=SEVERITY] [--description=TEXT] [--message=TEXT] [--dedupe] [--url=URL] [--json] TITLE "
	 "SYSTEM...",
	 "Opens an incident of one or more systems.", tc_cmd_incident_create,
	 "  --severity=SEVERITY  minor, major (the default) or critical\n"
	 "  --description=TEXT   what is known\n"
	 "  --message=TEXT       the first update\n"
	 "  --dedupe             if the first system has an open incident, answer with that one instead\n"
	 "  --url=URL            the server (default: TOCSIN_URL, else http://127.0.0.1:3000)\n"
	 "  --json               print JSON\n"
	 "TOCSIN_KEY holds the API key.\n",
	 false},
	{"incident resolve", "[--message=TEXT] [--url=URL] [--json] ID", "Resolves an incident.",
	 tc_cmd_incident_resolve,
	 "  --message=TEXT  what to tell people\n"
	 "  --url=URL       the server (default: TOCSIN_URL, else http://127.0.0.1:3000)\n"
	 "  --json          print JSON\n"
	 "TOCSIN_KEY holds the API key.\n",
	 false},
	{"lock run", "[--no-wait] [--timeout=S] KEY -- COMMAND...",
	 "Runs a command while holding a lock that spans every machine on the database.", tc_cmd_lock_run,
	 "  --no-wait    do not wait for who holds the key\n"
	 "  --timeout=S  wait for it at most S seconds (default: for ever)\n"
	 "Exit status: that of the command (128 + N if signal N ended it); 74 if the lock was lost while the\n"
	 "command ran (it gets SIGTERM then); 75 if the key was held; 126 or 127 if the command cannot run.\n"
	 "Without DATABASE_URL and without a server in TOCSIN_DATA_DIR, the embedded PostgreSQL runs as long as\n"
	 "this command and others like it.\n",
	 .keeps_order = true},
	{"version", "[--json]", "Prints the version.", tc_cmd_version, "  --json  print JSON\n", false},
};

static void print_commands(FILE *out, const char *group)
{
	size_t length = group ? strlen(group) : 0;

	fprintf(out, "usage: tocsin COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < TC_ARRAY_LENGTH(commands); i++) {
		if (!group || (strncmp(commands[i].name, group, length) == 0 &&
			       commands[i].name[length] == ' '))
			fprintf(out, "  %-16s  %s\n", commands[i].name, commands[i].summary);
	}
	fprintf(out, "\ntocsin COMMAND --help says more.\n");
}

/* The command that the first words name; *ret_words says how many they are. */
static const struct tc_command *find_command(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(commands); i++) {
		const char *name = commands[i].name, *space = strchr(name, ' ');

		if (!space && strcmp(argv[1], name) == 0) {
			*ret_words = 1;
			return &commands[i];
		}
		if (space && argc > 2 && strlen(argv[1]) == (size_t)(space - name) &&
		    strncmp(argv[1], name, (size_t)(space - name)) == 0 &&
		    strcmp(argv[2], space + 1) == 0) {
			*ret_words = 2;
			return &commands[i];
		}
	}
	return NULL;
}

static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < TC_ARRAY_LENGTH(commands); i++) {
		if (strncmp(commands[i].name, word, length) == 0 && commands[i].name[length] == ' ')
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
		fprintf(stderr, argc > 2 ? "tocsin %s: there is no command \"%s\"\n" : "tocsin %s: what?\n",
			argv[1], argc > 2 ? argv[2] : "");
		print_commands(stderr, argv[1]);
		return TC_EXIT_USAGE;
	}
	fprintf(stderr, "tocsin: there is no command \"%s\"\n", argv[1]);
	print_commands(stderr, NULL);
	return TC_EXIT_USAGE;
}
