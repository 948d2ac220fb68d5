/* app/cli/option.h: every option of a command as one list, whether its row names them or the procedure that it
 * calls does. Help, completion, manual page and the parser of remote commands all read it. */
#pragma once

#include "app/cli/command.h"
#include "core/procedure/procedure.h"

#define TC_OPTIONS_MAX     64 /* of a command */
#define TC_OPTION_NAME_MAX 64

enum tc_option_kind {
	TC_OPTION_LOCAL,    /* of the row */
	TC_OPTION_FIELD,    /* sets `field` */
	TC_OPTION_CLEAR,    /* --no-NAME: sets it to null */
	TC_OPTION_PASSWORD, /* --password-stdin, for a field that must not be on a command line */
	TC_OPTION_COMMON    /* --url, --json, --help */
};

struct tc_option {
	char name[TC_OPTION_NAME_MAX];     /* without the dashes */
	char argument[TC_OPTION_NAME_MAX]; /* "" if it takes no value */
	bool is_optional;                  /* the value */
	bool is_required, is_repeatable;
	enum tc_option_kind kind;
	const struct tc_field *field; /* NULL: none */
	const char *help;
	const char *const *choices; /* NULL: anything */
	char fallback
		[TC_OPTION_NAME_MAX]; /* what it is unless given; "": nothing, or the help says */
};

struct tc_options {
	struct tc_option list[TC_OPTIONS_MAX];
	unsigned count;
};

/* What a remote command calls a field: "systemIds" is "system-ids", or what the row's `names` says. */
void tc_option_name(const struct tc_remote *remote, const char *field,
		    char ret_name[static TC_OPTION_NAME_MAX]);
/* The options of a command. Bounded by TC_OPTIONS_MAX, which a test holds all commands to. */
void tc_options_init(struct tc_options *options, const struct tc_command *command);
/* One sentence about the command. */
void tc_option_summary(const struct tc_command *command, char *ret_text, size_t size);
/* The rest of the usage line: "[OPTION...] ID SYSTEM...". */
void tc_option_usage(const struct tc_command *command, char *ret_text, size_t size);
/* What the help says behind an option's sentence: " (a, b, c); b unless given; may be repeated; --no-x for none". */
void tc_option_notes(const struct tc_option *option, char *ret_text, size_t size);
/* "--name=VALUE" as people read it. */
void tc_option_format(const struct tc_option *option, char *ret_text, size_t size);
