/* app/cli/command.c: see command.h. */
#include "app/cli/command.h"

#include "app/cli/option.h"
#include "app/cli/visible.h"
#include "app/config.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* How many of `words` the name is made of, counting only those that are the same; 0: not all of one are. */
static int count_equal_words(const char *name, char *const *words, int count, const char **ret_rest)
{
	int equal = 0;

	while (*name && equal < count) {
		size_t length = strcspn(name, " ");

		if (strlen(words[equal]) != length || strncmp(name, words[equal], length) != 0)
			break;
		name += length;
		name += *name == ' ';
		equal++;
	}
	*ret_rest = name;
	return equal;
}

const struct tc_command *tc_command_find(char *const *words, int count, int *ret_words)
{
	const struct tc_command *found = NULL;

	*ret_words = 0;
	for (size_t i = 0; i < tc_commands_count; i++) {
		const char *rest;
		int equal = count_equal_words(tc_commands[i].name, words, count, &rest);

		if (!*rest && equal > *ret_words) {
			*ret_words = equal;
			found = &tc_commands[i];
		}
	}
	return found;
}

bool tc_command_is_group(char *const *words, int count)
{
	for (size_t i = 0; i < tc_commands_count; i++) {
		const char *rest;

		if (count_equal_words(tc_commands[i].name, words, count, &rest) == count && *rest)
			return true;
	}
	return false;
}

void tc_command_list(FILE *out, const char *group)
{
	size_t length = group ? strlen(group) : 0;

	fprintf(out, "usage: tocsin COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < tc_commands_count; i++) {
		const struct tc_command *command = &tc_commands[i];
		char summary[256];

		if (group &&
		    (strncmp(command->name, group, length) != 0 || command->name[length] != ' '))
			continue;
		tc_option_summary(command, summary, sizeof(summary));
		fprintf(out, "  %-22s  %s\n", command->name, summary);
	}
	fprintf(out, "\ntocsin COMMAND --help says more.\n");
}

void tc_command_help(const struct tc_command *command, FILE *out)
{
	struct tc_options options;
	char usage[512], summary[256];

	tc_option_usage(command, usage, sizeof(usage));
	tc_option_summary(command, summary, sizeof(summary));
	fprintf(out, "usage: tocsin %s%s%s\n\n%s\n\n", command->name, *usage ? " " : "", usage,
		summary);
	tc_options_init(&options, command);
	for (unsigned i = 0; i < options.count; i++) {
		char text[2 * TC_OPTION_NAME_MAX + 8], notes[256];

		tc_option_format(&options.list[i], text, sizeof(text));
		tc_option_notes(&options.list[i], notes, sizeof(notes));
		fprintf(out, "  %-36s  %s%s\n", text, options.list[i].help, notes);
	}
	if (command->help)
		fprintf(out, "\n%s", command->help);
	if (command->remote && !command->run)
		fprintf(out, "\nTOCSIN_KEY holds the API key; without one you are anonymous.\n");
	if (command->shows_settings) {
		fputc('\n', out);
		tc_config_help(out);
	}
}

void tc_command_say(const char *format, ...)
{
	TC_FREE char *text = NULL;
	TC_BUFFER line = {0};
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	tc_visible_append(&line, text ? text : "out of memory");
	tc_buffer_append(&line, "\n", 1);
	fflush(stdout); /* a failure shows at the end: tc_command_finish */
	fputs(line.failed ? "out of memory\n" : line.data, stderr);
}

int tc_command_misused(const struct tc_command *command, const char *format, ...)
{
	TC_FREE char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	tc_command_say("tocsin %s: %s", command->name, text ? text : "out of memory");
	tc_command_say("try: tocsin %s --help", command->name);
	return TC_EXIT_USAGE;
}

int tc_command_failed(const struct tc_command *command, const struct tocsin_error *error)
{
	tc_command_say("tocsin %s: %s", command->name, error->message);
	return TC_EXIT_FAILED;
}

int tc_command_failed_start(const struct tc_command *command, const struct tocsin_error *error)
{
	int status = tc_command_failed(command, error);

	return error->code == TOCSIN_E_INVALID ? TC_EXIT_CONFIG : status;
}

/* Says which option getopt_long did not like, after it answered "?". */
static int misused_option(const struct tc_command *command, int argc, char **argv,
			  const struct option *options)
{
	const char *word = argv[optind - 1];
	size_t length = strcspn(word, "="), matches = 0;

	/* It does not step over a word of several letters before the last of them. */
	if (optind < argc && argv[optind][0] == '-' && argv[optind][1] != '-' && optopt &&
	    strchr(argv[optind], optopt))
		word = argv[optind];
	if (word[0] != '-' || word[1] != '-')
		return tc_command_misused(command,
					  "option %s is unknown; what begins with - and is no "
					  "option goes behind --",
					  word);
	for (; options->name; options++)
		matches += length > 2 && strncmp(options->name, word + 2, length - 2) == 0;
	if (optopt)
		return tc_command_misused(command, "option %s takes no value", word);
	return tc_command_misused(command, "option %s is %s", word,
				  matches > 1 ? "the beginning of several" : "unknown");
}

int tc_command_option(const struct tc_command *command, int argc, char **argv,
		      const struct option *options, int *ret_status)
{
	int found;

	opterr = 0; /* we say it ourselves */
	/* "+": stop at the first word that is no option; ":": tell a missing value from an unknown option. */
	found = getopt_long(argc, argv, command->keeps_order ? "+:h" : ":h", options, NULL);
	if (found == 'h') {
		tc_command_help(command, stdout);
		*ret_status = tc_command_finish();
		return TC_OPTION_EXIT;
	}
	if (found == ':') {
		*ret_status =
			tc_command_misused(command, "option %s needs a value", argv[optind - 1]);
		return TC_OPTION_EXIT;
	}
	if (found == '?') {
		*ret_status = misused_option(command, argc, argv, options);
		return TC_OPTION_EXIT;
	}
	return found;
}

bool tc_command_json_option(const struct tc_command *command, int argc, char **argv,
			    bool *ret_is_json, int *ret_status)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, TC_HELP_OPTION, {0}};
	int option;

	*ret_is_json = false;
	while ((option = tc_command_option(command, argc, argv, options, ret_status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return false;
		*ret_is_json = true;
	}
	return true;
}

bool tc_command_only_json(const struct tc_command *command, int argc, char **argv,
			  bool *ret_is_json, int *ret_status)
{
	if (!tc_command_json_option(command, argc, argv, ret_is_json, ret_status))
		return false;
	if (optind == argc)
		return true;
	*ret_status =
		tc_command_misused(command, "there is one argument too many: %s", argv[optind]);
	return false;
}

int tc_command_configure(const struct tc_command *command, struct tc_config *ret_config)
{
	struct tocsin_error error;

	if (tc_config_init(ret_config, &error) != TOCSIN_OK) {
		tc_command_say("tocsin %s: %s", command->name, error.message);
		return TC_EXIT_CONFIG;
	}
	tc_log_setup(ret_config->log_level, ret_config->log_json);
	return TC_EXIT_OK;
}

bool tc_command_parse_seconds(const char *text, unsigned *ret_ms)
{
	static const double seconds_max = 86400;
	char *end;
	double seconds;

	if (!*text || text[strspn(text, "0123456789.")] != '\0')
		return false;
	seconds = strtod(text, &end);
	if (*end || seconds > seconds_max)
		return false;
	*ret_ms = (unsigned)(seconds * 1000 + 0.5);
	return true;
}

int tc_command_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return TC_EXIT_OK;
	perror("tocsin: cannot write to standard output");
	return TC_EXIT_FAILED;
}

int tc_command_print_json(const json_t *value)
{
	int result = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);

	if (result < 0 && !ferror(stdout)) {
		fprintf(stderr, "tocsin: out of memory\n");
		return TC_EXIT_FAILED;
	}
	if (result == 0)
		putchar('\n');
	return tc_command_finish();
}
