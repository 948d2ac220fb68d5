/* app/cli/command.h: what the commands of the program share: the table's row, options, exit statuses.
 *
 * A command's `run` gets its own arguments: argv[0] is its name ("key create"), and returns the
 * exit status of the process. Output that is data goes to standard output, everything else to standard error. */
#pragma once

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <tocsin/error.h>

struct tc_config;
struct tc_remote; /* app/cli/remote.h */

/* Exit statuses; those of sysexits.h where it has one. */
enum {
	TC_EXIT_OK = 0,
	TC_EXIT_FAILED = 1,
	TC_EXIT_USAGE = 64,
	TC_EXIT_LOST = 74,   /* a lock was lost while the command ran */
	TC_EXIT_BUSY = 75,   /* somebody holds the key: try again later */
	TC_EXIT_CONFIG = 78, /* a bad setting */
};

/* An option of a command that is written by hand; the last row has no name. */
struct tc_command_option {
	const char *name;
	const char *argument; /* what its value is called; NULL: it takes none */
	const char *help;
	const char *const *choices; /* of the value, NULL-terminated; NULL: anything */
};

struct tc_command {
	const char *name;      /* "serve", "key create", "incident link add" */
	const char *arguments; /* words, for the usage line; NULL: `remote` says which */
	const char *summary;   /* NULL: the procedure's */
	/* NULL: `remote` alone. With both, `remote` is meant where --url or TOCSIN_URL name a server. */
	int (*run)(const struct tc_command *command, int argc, char **argv);
	const struct tc_command_option *options;
	const struct tc_remote *remote; /* the procedure of a server that it calls */
	const char *help;               /* what else there is to know; NULL: nothing */
	bool shows_settings;            /* --help lists the settings */
	bool keeps_order; /* options end at the first word that is none: what follows is a command */
};

extern const struct tc_command tc_commands[]; /* command_table.c */
extern const size_t tc_commands_count;

int tc_cmd_serve(const struct tc_command *command, int argc, char **argv);
int tc_cmd_migrate(const struct tc_command *command, int argc, char **argv);
int tc_cmd_key_create(const struct tc_command *command, int argc, char **argv);
int tc_cmd_key_list(const struct tc_command *command, int argc, char **argv);
int tc_cmd_key_revoke(const struct tc_command *command, int argc, char **argv);
int tc_cmd_source_create(const struct tc_command *command, int argc, char **argv);
int tc_cmd_source_list(const struct tc_command *command, int argc, char **argv);
int tc_cmd_source_revoke(const struct tc_command *command, int argc, char **argv);
int tc_cmd_user_create(const struct tc_command *command, int argc, char **argv);
int tc_cmd_user_list(const struct tc_command *command, int argc, char **argv);
int tc_cmd_user_delete(const struct tc_command *command, int argc, char **argv);
int tc_cmd_user_passwd(const struct tc_command *command, int argc, char **argv);
int tc_cmd_call(const struct tc_command *command, int argc, char **argv);
/* What is known of one procedure, for tocsin help. */
int tc_cmd_call_help(const struct tc_command *command, const char *name);
int tc_cmd_completion(const struct tc_command *command, int argc, char **argv);
int tc_cmd_events(const struct tc_command *command, int argc, char **argv);
int tc_cmd_help(const struct tc_command *command, int argc, char **argv);
int tc_cmd_lock_run(const struct tc_command *command, int argc, char **argv);
int tc_cmd_version(const struct tc_command *command, int argc, char **argv);

/* A line on standard error, behind the data where both go to one place. All of it is made visible (app/cli/visible.h): it
 * has words of a server, or of whoever filled a script's variable. Blocks; a write that fails is not told. */
void tc_command_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* getopt_long with one way to complain. Add TC_HELP_OPTION to `options`. Returns the option's value, -1 when
 * there are no more, or a negative TC_OPTION_... when the command is to end with *ret_status. */
#define TC_HELP_OPTION                                                                             \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}
enum { TC_OPTION_END = -1, TC_OPTION_EXIT = -2 };
int tc_command_option(const struct tc_command *command, int argc, char **argv,
		      const struct option *options, int *ret_status);
/* For commands that have no option but --json; words may follow. False: the command is to end with *ret_status. */
bool tc_command_json_option(const struct tc_command *command, int argc, char **argv,
			    bool *ret_is_json, int *ret_status);
/* The same where no word may follow. */
bool tc_command_only_json(const struct tc_command *command, int argc, char **argv,
			  bool *ret_is_json, int *ret_status);

/* Says what is wrong with the arguments and where help is; returns TC_EXIT_USAGE. */
int tc_command_misused(const struct tc_command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Says what failed; returns the exit status for it. */
int tc_command_failed(const struct tc_command *command, const struct tocsin_error *error);
/* The same for tc_database_init and whatever else is INVALID because of a setting, and then TC_EXIT_CONFIG. */
int tc_command_failed_start(const struct tc_command *command, const struct tocsin_error *error);
/* Reads the settings, and sets up the log; on failure complains and returns TC_EXIT_CONFIG. */
int tc_command_configure(const struct tc_command *command, struct tc_config *ret_config);
/* Reads a whole number of seconds with an optional fraction; false if it is none. At most a day. */
bool tc_command_parse_seconds(const char *text, unsigned *ret_ms);
void tc_command_help(const struct tc_command *command, FILE *out);
/* Lists the commands whose names begin with `group`; NULL: all. */
void tc_command_list(FILE *out, const char *group);
/* The command that the first words name, the longest name that fits; *ret_words says how many they are. NULL
 * if there is none. */
const struct tc_command *tc_command_find(char *const *words, int count, int *ret_words);
/* Whether some command's name begins with these words and goes on. */
bool tc_command_is_group(char *const *words, int count);
/* Prints JSON and a line end; TC_EXIT_OK, or TC_EXIT_FAILED if standard output cannot be written. */
int tc_command_print_json(const json_t *value);
/* Flushes standard output, so that a full disk or a closed pipe is not taken for success. */
int tc_command_finish(void);
