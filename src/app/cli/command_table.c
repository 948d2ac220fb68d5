/* app/cli/command_table.c: every command of the program. What only calls a procedure of a server is a row with
 * `remote` and no code; its options are the procedure's fields. */
#include "app/cli/command.h"
#include "app/cli/remote.h"
#include "base/macro.h"

#define JSON_OPTION                                                                                \
	{                                                                                          \
		"json", NULL, "print JSON", NULL                                                   \
	}
#define NO_MORE                                                                                    \
	{                                                                                          \
		0                                                                                  \
	}
#define INCIDENT_LINE "id status severity createdAt systemIds title"
#define SYSTEM_LINE   "id discovered createdAt name"
#define GROUP_LINE    "id systemCount createdAt name"
#define OUTCOME_LINE  "id outcome detail"
#define USER_LINE     "id role createdAt lastLoginAt name"
/* A row without code. The other members of struct tc_remote follow. */
#define CALLS(its_procedure, ...)                                                                  \
	.remote = &(const struct tc_remote)                                                        \
	{                                                                                          \
		.procedure = (its_procedure), __VA_ARGS__                                          \
	}
#define DIRECT_HELP                                                                                \
	"Goes straight to the database (DATABASE_URL, else the embedded one), so that it works "   \
	"where no\nserver runs. With --url or TOCSIN_URL it asks that server, with TOCSIN_KEY.\n"
#define ASKS_HELP "Without --password-stdin you are asked for the password; it is not shown.\n"

static const char *const roles[] = {"admin", "manager", "viewer", NULL};

#define ROLE_OPTION                                                                                \
	{                                                                                          \
		"role", "ROLE", "what it may do; manager unless given", roles                      \
	}
#define PASSWORD_OPTION                                                                            \
	{                                                                                          \
		"password-stdin", NULL, "take the password from the first line of standard input", \
			NULL                                                                       \
	}

static const struct tc_command_option json_options[] = {JSON_OPTION, NO_MORE};
static const struct tc_command_option key_create_options[] = {ROLE_OPTION, JSON_OPTION, NO_MORE};
static const struct tc_command_option user_create_options[] = {ROLE_OPTION, PASSWORD_OPTION,
							       JSON_OPTION, NO_MORE};
static const struct tc_command_option passwd_options[] = {PASSWORD_OPTION, NO_MORE};
static const struct tc_command_option lock_options[] = {
	{"no-wait", NULL, "do not wait for who holds the key", NULL},
	{"timeout", "S", "wait for it at most S seconds (default: for ever)", NULL},
	NO_MORE};
static const struct tc_command_option events_options[] = {
	{"since", "ID", "begin after the event with this id; without one, begin now", NULL},
	{"limit", "N", "end after N events", NULL},
	{"url", "URL", "the server (default: TOCSIN_URL, else http://127.0.0.1:3000)", NULL},
	{"json", NULL, "print each event as one line of JSON", NULL},
	NO_MORE};
static const struct tc_command_option help_options[] = {
	{"json", NULL, "print all commands with their options as JSON", NULL},
	{"mdoc", NULL, "print all commands with their options for a manual page", NULL},
	NO_MORE};

const struct tc_command tc_commands[] = {
	{.name = "serve",
	 .arguments = "",
	 .run = tc_cmd_serve,
	 .shows_settings = true,
	 .summary = "Runs the server."},
	{.name = "migrate",
	 .arguments = "[--json]",
	 .run = tc_cmd_migrate,
	 .options = json_options,
	 .summary = "Brings the database up to date, and ends.",
	 .help = "A server does this by itself when it starts.\n"},

	{.name = "incident list",
	 CALLS("listIncidents", .names = "systemId=system includeResolved=all",
	       .view = TC_VIEW_LIST, .member = "incidents", .columns = INCIDENT_LINE)},
	{.name = "incident show", CALLS("getIncident", .words = "id")},
	{.name = "incident create",
	 CALLS("createIncident", .words = "title systemIds...",
	       .names = "systemIds=system initialMessage=message dedupeOpenForSystem=dedupe",
	       .defaults = "severity=major", .view = TC_VIEW_LINE, .member = "incident",
	       .columns = INCIDENT_LINE)},
	{.name = "incident update",
	 CALLS("updateIncident", .words = "id", .names = "systemIds=system", .view = TC_VIEW_LINE,
	       .columns = INCIDENT_LINE)},
	{.name = "incident resolve",
	 CALLS("resolveIncident", .words = "id", .view = TC_VIEW_LINE, .columns = INCIDENT_LINE)},
	{.name = "incident delete", CALLS("deleteIncident", .words = "id")},
	{.name = "incident comment",
	 CALLS("addUpdate", .words = "incidentId message",
	       .names = "incidentId=incident statusChange=status")},
	{.name = "incident edit",
	 CALLS("editUpdate", .words = "incidentId updateId",
	       .names = "incidentId=incident updateId=update statusChange=status")},
	{.name = "incident uncomment",
	 CALLS("deleteUpdate", .words = "incidentId updateId",
	       .names = "incidentId=incident updateId=update")},
	{.name = "incident link add",
	 CALLS("addLink", .words = "incidentId url", .names = "incidentId=incident url=link-url")},
	{.name = "incident link update",
	 CALLS("updateLink", .words = "incidentId linkId",
	       .names = "incidentId=incident linkId=link url=link-url")},
	{.name = "incident link remove",
	 CALLS("removeLink", .words = "incidentId linkId",
	       .names = "incidentId=incident linkId=link")},
	{.name = "incident bulk-resolve",
	 CALLS("bulkResolveIncidents", .words = "ids...", .names = "ids=id", .view = TC_VIEW_LIST,
	       .member = "results", .columns = OUTCOME_LINE),
	 .help = "Exit status 1 if one of them could not be resolved; the others are.\n"},
	{.name = "incident bulk-delete",
	 CALLS("bulkDeleteIncidents", .words = "ids...", .names = "ids=id", .view = TC_VIEW_LIST,
	       .member = "results", .columns = OUTCOME_LINE),
	 .help = "Exit status 1 if one of them could not be deleted; the others are.\n"},
	{.name = "incident states",
	 CALLS("getManyEntityStates", .words = "ids...", .names = "ids=id")},
	{.name = "incident refs",
	 CALLS("resolveIncidentRefs", .words = "ids...", .names = "ids=id")},
	{.name = "incident updates",
	 CALLS("getBulkIncidentUpdates", .words = "incidentIds...",
	       .names = "incidentIds=incident")},
	{.name = "incident by-system", CALLS("listOpenIncidentsBySystem", .view = TC_VIEW_DETAIL)},

	{.name = "system list",
	 CALLS("listSystems", .names = "groupId=group", .find = "listGroups",
	       .find_field = "groupId", .view = TC_VIEW_LIST, .member = "systems",
	       .columns = SYSTEM_LINE)},
	{.name = "system show", CALLS("getSystem", .words = "id")},
	{.name = "system create",
	 CALLS("createSystem", .words = "name", .view = TC_VIEW_LINE, .columns = SYSTEM_LINE)},
	{.name = "system update",
	 CALLS("updateSystem", .words = "id", .view = TC_VIEW_LINE, .columns = SYSTEM_LINE)},
	{.name = "system delete", CALLS("deleteSystem", .words = "id")},
	{.name = "system contact add",
	 CALLS("addSystemContact", .words = "systemId type value", .names = "systemId=system")},
	{.name = "system contact remove",
	 CALLS("removeSystemContact", .words = "systemId contactId",
	       .names = "systemId=system contactId=contact")},
	{.name = "system link add",
	 CALLS("addSystemLink", .words = "systemId url", .names = "systemId=system url=link-url")},
	{.name = "system link remove",
	 CALLS("removeSystemLink", .words = "systemId linkId",
	       .names = "systemId=system linkId=link")},
	{.name = "system incidents",
	 CALLS("getIncidentsForSystem", .words = "systemId", .names = "systemId=system",
	       .view = TC_VIEW_LIST, .member = "incidents", .columns = INCIDENT_LINE)},
	{.name = "system suppression",
	 CALLS("hasActiveIncidentWithSuppression", .words = "systemId",
	       .names = "systemId=system")},
	{.name = "system health",
	 CALLS("getActiveHealthOverrides", .words = "systemIds...", .names = "systemIds=system")},

	{.name = "group list",
	 CALLS("listGroups", .view = TC_VIEW_LIST, .member = "groups", .columns = GROUP_LINE)},
	{.name = "group show", CALLS("getGroup", .words = "id", .find = "listGroups")},
	{.name = "group create",
	 CALLS("createGroup", .words = "name", .view = TC_VIEW_LINE, .columns = GROUP_LINE)},
	{.name = "group update",
	 CALLS("updateGroup", .words = "id", .find = "listGroups", .view = TC_VIEW_LINE,
	       .columns = GROUP_LINE)},
	{.name = "group delete", CALLS("deleteGroup", .words = "id", .find = "listGroups")},
	{.name = "group add",
	 CALLS("addSystemToGroup", .words = "groupId systemId",
	       .names = "groupId=group systemId=system", .find = "listGroups")},
	{.name = "group remove",
	 CALLS("removeSystemFromGroup", .words = "groupId systemId",
	       .names = "groupId=group systemId=system", .find = "listGroups")},

	{.name = "events",
	 .arguments = "[--since=ID] [--limit=N] [--url=URL] [--json]",
	 .run = tc_cmd_events,
	 .options = events_options,
	 .summary = "Follows what happens, as it happens, until you end it.",
	 .help = "After a lost connection it goes on where it was.\n"
		 "TOCSIN_KEY holds the API key; without one you are anonymous.\n"},
	{.name = "audit",
	 CALLS("listAuditTrail", .view = TC_VIEW_LIST, .columns = "at actor kind subject")},

	{.name = "key create",
	 .arguments = "[--role=ROLE] [--json] NAME",
	 .run = tc_cmd_key_create,
	 .options = key_create_options,
	 CALLS("createApiKey", .words = "name", .defaults = "role=manager", .view = TC_VIEW_LINE,
	       .columns = "key"),
	 .summary = "Makes an API key, and prints it once.",
	 .help = DIRECT_HELP},
	{.name = "key list",
	 .arguments = "[--json]",
	 .run = tc_cmd_key_list,
	 .options = json_options,
	 CALLS("listApiKeys", .view = TC_VIEW_LIST, .columns = "id role createdAt revokedAt name"),
	 .summary = "Lists the API keys; their secrets cannot be shown again.",
	 .help = DIRECT_HELP},
	{.name = "key revoke",
	 .arguments = "ID",
	 .run = tc_cmd_key_revoke,
	 CALLS("revokeApiKey", .words = "id"),
	 .summary = "Revokes an API key for good, on every node.",
	 .help = DIRECT_HELP},
	{.name = "source create",
	 .arguments = "[--json] NAME",
	 .run = tc_cmd_source_create,
	 .options = json_options,
	 CALLS("createSource", .words = "name", .view = TC_VIEW_LINE, .columns = "routingKey"),
	 .summary = "Makes a source of PagerDuty events, and prints its routing key once.",
	 .help = "The key is what POST /v2/enqueue wants as routing_key.\n" DIRECT_HELP},
	{.name = "source list",
	 .arguments = "[--json]",
	 .run = tc_cmd_source_list,
	 .options = json_options,
	 CALLS("listSources", .view = TC_VIEW_LIST,
	       .columns = "id createdAt lastUsedAt revokedAt name"),
	 .summary = "Lists the sources of PagerDuty events; their keys cannot be shown again.",
	 .help = DIRECT_HELP},
	{.name = "source revoke",
	 .arguments = "ID",
	 .run = tc_cmd_source_revoke,
	 CALLS("revokeSource", .words = "id"),
	 .summary = "Revokes a source's routing key for good, on every node.",
	 .help = DIRECT_HELP},
	{.name = "user create",
	 .arguments = "[--role=ROLE] [--password-stdin] [--json] NAME",
	 .run = tc_cmd_user_create,
	 .options = user_create_options,
	 CALLS("createUser", .words = "name", .defaults = "role=manager", .view = TC_VIEW_LINE,
	       .columns = "id"),
	 .summary = "Makes a user who can log in, and prints the user's id.",
	 .help = ASKS_HELP DIRECT_HELP},
	{.name = "user list",
	 .arguments = "[--json]",
	 .run = tc_cmd_user_list,
	 .options = json_options,
	 CALLS("listUsers", .view = TC_VIEW_LIST, .columns = USER_LINE),
	 .summary = "Lists the users.",
	 .help = DIRECT_HELP},
	{.name = "user update",
	 CALLS("updateUser", .words = "id", .find = "listUsers", .view = TC_VIEW_LINE,
	       .columns = USER_LINE)},
	{.name = "user delete",
	 .arguments = "NAME",
	 .run = tc_cmd_user_delete,
	 CALLS("deleteUser", .words = "id", .find = "listUsers"),
	 .summary = "Deletes a user, and ends the user's sessions on every node.",
	 .help = DIRECT_HELP},
	{.name = "user passwd",
	 .arguments = "[--password-stdin] NAME",
	 .run = tc_cmd_user_passwd,
	 .options = passwd_options,
	 CALLS("updateUser", .words = "id", .find = "listUsers", .asks_password = true,
	       .view = TC_VIEW_LINE, .columns = "id"),
	 .summary = "Gives a user another password, and ends the user's sessions on every node.",
	 .help = ASKS_HELP
	 "Log-ins that were refused because too many failed are allowed again.\n" DIRECT_HELP},

	{.name = "call",
	 .arguments = "PROCEDURE [OPTION...]",
	 .run = tc_cmd_call,
	 .keeps_order = true,
	 .summary = "Calls any procedure of the server; its fields are the options.",
	 .help = "tocsin call --help lists the procedures, tocsin call PROCEDURE --help the "
		 "options of one.\n"},
	{.name = "lock run",
	 .arguments = "[--no-wait] [--timeout=S] KEY -- COMMAND...",
	 .run = tc_cmd_lock_run,
	 .options = lock_options,
	 .keeps_order = true,
	 .summary = "Runs a command while holding a lock that spans every machine on the database.",
	 .help = "Exit status: that of the command (128 + N if signal N ended it); 74 if the lock "
		 "was lost\n"
		 "while the command ran (it gets SIGTERM then); 75 if the key was held; 126 or 127 "
		 "if the\n"
		 "command cannot run. Without DATABASE_URL and without a server in "
		 "TOCSIN_DATA_DIR, the\n"
		 "embedded PostgreSQL runs as long as this command and others like it.\n"},
	{.name = "completion",
	 .arguments = "bash|zsh",
	 .run = tc_cmd_completion,
	 .summary = "Prints what makes a shell complete tocsin's commands and options.",
	 .help = "In a shell, or in the file that it starts with:\n"
		 "  . <(tocsin completion bash)\n"
		 "  . <(tocsin completion zsh), after compinit\n"},
	{.name = "help",
	 .arguments = "[--json] [--mdoc] [COMMAND...]",
	 .run = tc_cmd_help,
	 .options = help_options,
	 .summary = "Says what a command does, or lists the commands."},
	{.name = "version",
	 .arguments = "[--json]",
	 .run = tc_cmd_version,
	 .options = json_options,
	 .summary = "Prints the version."},
};
const size_t tc_commands_count = TC_ARRAY_LENGTH(tc_commands);
