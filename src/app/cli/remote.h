/* app/cli/remote.h: commands that call a procedure of a server. One row a command; words, options and their
 * checks come from the procedure's own fields, so a new field is an option of the command at once. */
#pragma once

#include "app/cli/command.h"
#include "core/procedure/procedure.h"

/* How the answer is shown to people. */
enum tc_view {
	TC_VIEW_DETAIL, /* everything in it */
	TC_VIEW_LIST, /* a table of the objects in its member `member`, or the first that is an array */
	TC_VIEW_LINE /* one line of a table, without its heading; of `member`, if the answer has it */
};

struct tc_remote {
	const char *procedure; /* "updateIncident" */
	const char *words;     /* fields that are given as words: "id", "title systemIds..." */
	const char *names;     /* "systemIds=system initialMessage=message" */
	const char *defaults;  /* "severity=major" */
	enum tc_view view;
	const char *member;
	const char *columns; /* "id status title"; NULL: all that are simple */
	/* The first word may be a name: this procedure lists what has `id` and `name`. NULL: it is an id. */
	const char *find;
	const char *
		find_field; /* the field that may be a name, instead of the first word; NULL: that */
	bool asks_password; /* even where the procedure does not need one */
};

struct tc_remote_word {
	char field[64];
	bool takes_rest; /* all words from here on */
};

/* The n-th word of a command; false if it has fewer. */
bool tc_remote_word(const struct tc_remote *remote, unsigned index,
		    struct tc_remote_word *ret_word);
bool tc_remote_is_word(const struct tc_remote *remote, const char *field);
/* What a field is unless said; false if nothing. `ret_text` may be NULL. */
bool tc_remote_default(const struct tc_remote *remote, const char *field, char *ret_text,
		       size_t size);
/* A password: it is asked for, or read from standard input, and never on a command line. */
bool tc_remote_is_secret(const struct tc_field *field);

/* Whether a command that has both is to call a server: --url is given, or TOCSIN_URL is set. */
bool tc_remote_is_wanted(int argc, char **argv);
/* Parses, calls, prints; the exit status. argv[0] is the last word of the command's name. Blocks. */
int tc_remote_run(const struct tc_command *command, int argc, char **argv);

/* `tocsin call PROCEDURE` as a command like others. `command` points into the struct, which must not be moved. */
struct tc_remote_call {
	struct tc_command command;
	struct tc_remote remote;
	char name[96], summary[256];
};
void tc_remote_call_init(struct tc_remote_call *call, const struct tc_procedure *procedure);
