/* app/command.c: see command.h. */
#include "app/command.h"

#include "app/config.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void tc_command_help(const struct tc_command *command, FILE *out)
{
	fprintf(out, "usage: tocsin %s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
		command->arguments, command->summary);
	if (command->help)
		fprintf(out, "\n%s", command->help);
	if (command->shows_settings) {
		fputc('\n', out);
		tc_config_help(out);
	}
}

int tc_command_misused(const struct tc_command *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "tocsin %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\ntry: tocsin %s --help\n", command->name);
	return TC_EXIT_USAGE;
}

int tc_command_failed(const struct tc_command *command, const struct tocsin_error *error)
{
	fprintf(stderr, "tocsin %s: %s\n", command->name, error->message);
	return TC_EXIT_FAILED;
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
		*ret_status = tc_command_misused(command, "option %s is unknown, or takes no value",
						 argv[optind - 1]);
		return TC_OPTION_EXIT;
	}
	return found;
}

int tc_command_configure(const struct tc_command *command, struct tc_config *ret_config)
{
	struct tocsin_error error;

	if (tc_config_init(ret_config, &error) != TOCSIN_OK) {
		fprintf(stderr, "tocsin %s: %s\n", command->name, error.message);
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
	if (json_dumpf(value, stdout, JSON_INDENT(2)) < 0) {
		fprintf(stderr, "tocsin: cannot write to standard output\n");
		return TC_EXIT_FAILED;
	}
	putchar('\n');
	return tc_command_finish();
}
