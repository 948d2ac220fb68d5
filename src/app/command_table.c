/* app/command_table.c: every command of the program. */
#include "app/command.h"
#include "base/macro.h"

#define URL_HELP                                                                                   \
	"  --url=URL            the server (default: TOCSIN_URL, else http://127.0.0.1:3000)\n"    \
	"  --json               print JSON\n"
#define KEY_HELP "TOCSIN_KEY holds the API key; without one you are anonymous.\n"
#define PASSWORD_HELP                                                                              \
	"  --password-stdin  take the password from the first line of standard input; without\n"   \
	"                    it you are asked for it, and it is not shown\n"

const struct tc_command tc_commands[] = {
	{.name = "serve",
	 .arguments = "",
	 .run = tc_cmd_serve,
	 .shows_settings = true,
	 .summary = "Runs the server."},
	{.name = "migrate",
	 .arguments = "[--json]",
	 .run = tc_cmd_migrate,
	 .summary = "Brings the database up to date, and ends.",
	 .help = "A server does this by itself when it starts.\n"
		 "  --json  print {\"applied\": N, \"version\": N}\n"},
	{.name = "key create",
	 .arguments = "[--role=ROLE] [--json] NAME",
	 .run = tc_cmd_key_create,
	 .summary = "Makes an API key, and prints it once.",
	 .help = "  --role=ROLE  admin, manager (the default) or viewer\n"
		 "  --json       print the key with everything known about it\n"},
	{.name = "key list",
	 .arguments = "[--json]",
	 .run = tc_cmd_key_list,
	 .summary = "Lists the API keys; their secrets cannot be shown again.",
	 .help = "  --json  print JSON\n"},
	{.name = "key revoke",
	 .arguments = "ID",
	 .run = tc_cmd_key_revoke,
	 .summary = "Revokes an API key for good, on every node."},
	{.name = "source create",
	 .arguments = "[--json] NAME",
	 .run = tc_cmd_source_create,
	 .summary = "Makes a source of PagerDuty events, and prints its routing key once.",
	 .help = "  --json  print the key with everything known about the source\n"
		 "The key is what POST /v2/enqueue wants as routing_key.\n"},
	{.name = "source list",
	 .arguments = "[--json]",
	 .run = tc_cmd_source_list,
	 .summary = "Lists the sources of PagerDuty events; their keys cannot be shown again.",
	 .help = "  --json  print JSON\n"},
	{.name = "source revoke",
	 .arguments = "ID",
	 .run = tc_cmd_source_revoke,
	 .summary = "Revokes a source's routing key for good, on every node."},
	{.name = "user create",
	 .arguments = "[--role=ROLE] [--password-stdin] [--json] NAME",
	 .run = tc_cmd_user_create,
	 .summary = "Makes a user who can log in, and prints the user's id.",
	 .help = "  --role=ROLE       admin, manager (the default) or viewer\n" PASSWORD_HELP
		 "  --json            print everything known about the user\n"},
	{.name = "user list",
	 .arguments = "[--json]",
	 .run = tc_cmd_user_list,
	 .summary = "Lists the users.",
	 .help = "  --json  print JSON\n"},
	{.name = "user delete",
	 .arguments = "NAME",
	 .run = tc_cmd_user_delete,
	 .summary = "Deletes a user, and ends the user's sessions on every node."},
	{.name = "user passwd",
	 .arguments = "[--password-stdin] NAME",
	 .run = tc_cmd_user_passwd,
	 .summary = "Gives a user another password, and ends the user's sessions on every node.",
	 .help = PASSWORD_HELP
	 "Log-ins that were refused because too many failed are allowed again.\n"},
	{.name = "incident list",
	 .arguments = "[--system=ID] [--status=STATUS] [--all] [--limit=N] [--url=URL] [--json]",
	 .run = tc_cmd_incident_list,
	 .summary = "Lists incidents, newest first: the open ones, unless you say otherwise.",
	 .help = "  --system=ID          only those of this system\n"
		 "  --status=STATUS      investigating, identified, fixing, monitoring or "
		 "resolved\n"
		 "  --all                resolved ones, too\n"
		 "  --limit=N            at most N (1 to 500; default 50)\n" URL_HELP KEY_HELP},
	{.name = "incident show",
	 .arguments = "[--url=URL] [--json] ID",
	 .run = tc_cmd_incident_show,
	 .summary = "Shows one incident with its updates.",
	 .help = URL_HELP KEY_HELP},
	{.name = "incident create",
	 .arguments = "[--severity=SEVERITY] [--description=TEXT] [--message=TEXT] [--dedupe] "
		      "[--url=URL] "
		      "[--json] TITLE SYSTEM...",
	 .run = tc_cmd_incident_create,
	 .summary = "Opens an incident of one or more systems.",
	 .help = "  --severity=SEVERITY  minor, major (the default) or critical\n"
		 "  --description=TEXT   what is known\n"
		 "  --message=TEXT       the first update\n"
		 "  --dedupe             if the first system has an open incident, answer with "
		 "that one\n" URL_HELP KEY_HELP},
	{.name = "incident resolve",
	 .arguments = "[--message=TEXT] [--url=URL] [--json] ID",
	 .run = tc_cmd_incident_resolve,
	 .summary = "Resolves an incident.",
	 .help = "  --message=TEXT       what to tell people\n" URL_HELP KEY_HELP},
	{.name = "lock run",
	 .arguments = "[--no-wait] [--timeout=S] KEY -- COMMAND...",
	 .run = tc_cmd_lock_run,
	 .keeps_order = true,
	 .summary = "Runs a command while holding a lock that spans every machine on the database.",
	 .help = "  --no-wait    do not wait for who holds the key\n"
		 "  --timeout=S  wait for it at most S seconds (default: for ever)\n"
		 "Exit status: that of the command (128 + N if signal N ended it); 74 if the lock "
		 "was lost\n"
		 "while the command ran (it gets SIGTERM then); 75 if the key was held; 126 or 127 "
		 "if the\n"
		 "command cannot run. Without DATABASE_URL and without a server in "
		 "TOCSIN_DATA_DIR, the\n"
		 "embedded PostgreSQL runs as long as this command and others like it.\n"},
	{.name = "version",
	 .arguments = "[--json]",
	 .run = tc_cmd_version,
	 .summary = "Prints the version.",
	 .help = "  --json  print JSON\n"},
};
const size_t tc_commands_count = TC_ARRAY_LENGTH(tc_commands);
