/* app/cli/option.c: see option.h. */
#include "app/cli/option.h"

#include "app/cli/remote.h"
#include "app/procedures.h"
#include "base/macro.h"
#include <assert.h>
#include <ctype.h>
#include <string.h>

static const char *const booleans[] = {"true", "false", NULL};

static const struct tc_option common[] = {
	{.name = "url",
	 .argument = "URL",
	 .kind = TC_OPTION_COMMON,
	 .help = "the server (default: TOCSIN_URL, else http://127.0.0.1:3000)"},
	{.name = "json", .kind = TC_OPTION_COMMON, .help = "print JSON"},
};
/* Of a command that goes to the database unless told of a server. */
static const struct tc_option url_instead = {
	.name = "url",
	.argument = "URL",
	.kind = TC_OPTION_COMMON,
	.help = "ask this server, and not the database (default: TOCSIN_URL, if it is set)"};
/* Of every command, and so of no field. */
static const char *const taken[] = {"url", "json", "help"};
static const struct tc_option help_option = {
	.name = "help", .kind = TC_OPTION_COMMON, .help = "print help, and end"};

/* "camelCase" as "camel-case"; an X of "-ID-" is one word. */
static void to_kebab(const char *text, char ret_name[static TC_OPTION_NAME_MAX])
{
	size_t length = 0;

	for (; *text && length + 2 < TC_OPTION_NAME_MAX; text++) {
		if (isupper((unsigned char)*text) && length > 0 && ret_name[length - 1] != '-')
			ret_name[length++] = '-';
		ret_name[length++] = (char)tolower((unsigned char)*text);
	}
	ret_name[length] = '\0';
}

void tc_option_name(const struct tc_remote *remote, const char *field,
		    char ret_name[static TC_OPTION_NAME_MAX])
{
	size_t length = strlen(field);

	/* "field=name field=name" */
	for (const char *at = remote->names; at && *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strncmp(at, field, length) == 0 && at[length] == '=') {
			at += length + 1;
			snprintf(ret_name, TC_OPTION_NAME_MAX, "%.*s", (int)strcspn(at, " "), at);
			return;
		}
	}
	to_kebab(field, ret_name);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(taken); i++) {
		if (strcmp(taken[i], ret_name) == 0)
			snprintf(ret_name, TC_OPTION_NAME_MAX, "field-%s", taken[i]);
	}
}

static void to_upper(const char *text, char ret_text[static TC_OPTION_NAME_MAX])
{
	size_t length = 0;

	for (; text[length] && length + 1 < TC_OPTION_NAME_MAX; length++)
		ret_text[length] = (char)toupper((unsigned char)text[length]);
	ret_text[length] = '\0';
}

static void name_clear(const char *name, char ret_name[static TC_OPTION_NAME_MAX])
{
	snprintf(ret_name, TC_OPTION_NAME_MAX, "no-%.*s", TC_OPTION_NAME_MAX - 4, name);
}

static struct tc_option *add(struct tc_options *options)
{
	assert(options->count < TC_OPTIONS_MAX);
	options->list[options->count] = (struct tc_option){0};
	return &options->list[options->count++];
}

static void add_local(struct tc_options *options, const struct tc_command_option *row)
{
	struct tc_option *option = add(options);

	snprintf(option->name, sizeof(option->name), "%s", row->name);
	snprintf(option->argument, sizeof(option->argument), "%s",
		 row->argument ? row->argument : "");
	option->help = row->help;
	option->choices = row->choices;
}

static void add_field(struct tc_options *options, const struct tc_remote *remote,
		      const struct tc_field *field)
{
	struct tc_option *option = add(options);
	char name[TC_OPTION_NAME_MAX];

	if (tc_remote_is_secret(field)) {
		*option = (struct tc_option){
			.name = "password-stdin",
			.kind = TC_OPTION_PASSWORD,
			.field = field,
			.help = "take the password from the first line of standard input"};
		return;
	}
	tc_option_name(remote, field->name, name);
	option->kind = TC_OPTION_FIELD;
	snprintf(option->name, sizeof(option->name), "%s", name);
	option->field = field;
	option->help = field->description;
	option->choices = field->type == TC_FIELD_BOOLEAN ? booleans : field->choices;
	option->is_optional = field->type == TC_FIELD_BOOLEAN;
	option->is_repeatable = field->type == TC_FIELD_STRINGS || field->type == TC_FIELD_UUIDS;
	option->is_required =
		(field->flags & TC_REQUIRED) &&
		!tc_remote_default(remote, field->name, option->fallback, sizeof(option->fallback));
	if (field->type == TC_FIELD_BOOLEAN)
		snprintf(option->argument, sizeof(option->argument), "BOOLEAN");
	else
		to_upper(name, option->argument);
	if (!(field->flags & TC_NULLABLE))
		return;
	option = add(options);
	option->kind = TC_OPTION_CLEAR;
	option->field = field;
	option->help = "have none";
	name_clear(name, option->name);
}

void tc_options_init(struct tc_options *options, const struct tc_command *command)
{
	const struct tc_procedure *procedure =
		command->remote ? tc_procedure_find(command->remote->procedure) : NULL;

	options->count = 0;
	for (const struct tc_command_option *row = command->options; row && row->name; row++)
		add_local(options, row);
	for (const struct tc_field *field = procedure ? procedure->fields : NULL;
	     field && field->type; field++) {
		/* A command written by hand has told all that it shares with its procedure. */
		if (!command->run && field->place != TC_IN_HEADER &&
		    !tc_remote_is_word(command->remote, field->name))
			add_field(options, command->remote, field);
	}
	if (command->remote) {
		*add(options) = command->run ? url_instead : common[0];
		if (!command->run)
			*add(options) = common[1];
	}
	*add(options) = help_option;
}

void tc_option_notes(const struct tc_option *option, char *ret_text, size_t size)
{
	bool has_choices = option->choices && !option->is_optional;
	bool has_clear = option->kind == TC_OPTION_FIELD && option->field->flags & TC_NULLABLE;
	char clear[TC_OPTION_NAME_MAX];
	size_t length = 0;

	*ret_text = '\0';
	for (unsigned i = 0; has_choices && option->choices[i] && length < size; i++)
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s",
					   i == 0 ? " (" : ", ", option->choices[i]);
	if (length < size)
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s%s%s%s",
					   has_choices ? ")" : "", option->fallback[0] ? "; " : "",
					   option->fallback,
					   option->fallback[0] ? " unless given" : "",
					   option->is_repeatable ? "; may be repeated" : "");
	if (length < size && has_clear) {
		name_clear(option->name, clear);
		snprintf(ret_text + length, size - length, "; --%s for none", clear);
	}
}

void tc_option_format(const struct tc_option *option, char *ret_text, size_t size)
{
	bool has_value = option->argument[0];

	snprintf(ret_text, size, "--%s%s%s%s%s", option->name, option->is_optional ? "[" : "",
		 has_value ? "=" : "", option->argument, option->is_optional ? "]" : "");
}

void tc_option_summary(const struct tc_command *command, char *ret_text, size_t size)
{
	const struct tc_procedure *procedure =
		command->remote ? tc_procedure_find(command->remote->procedure) : NULL;

	if (command->summary)
		snprintf(ret_text, size, "%s", command->summary);
	else
		snprintf(ret_text, size, "%s.", procedure ? procedure->summary : "");
}

void tc_option_usage(const struct tc_command *command, char *ret_text, size_t size)
{
	struct tc_options options;
	size_t length = 0;

	if (command->arguments) {
		snprintf(ret_text, size, "%s", command->arguments);
		return;
	}
	tc_options_init(&options, command);
	length += (size_t)snprintf(ret_text, size, "[OPTION...]");
	for (unsigned i = 0; i < options.count && length < size; i++) {
		char text[2 * TC_OPTION_NAME_MAX];

		if (!options.list[i].is_required)
			continue;
		tc_option_format(&options.list[i], text, sizeof(text));
		length += (size_t)snprintf(ret_text + length, size - length, " %s", text);
	}
	for (unsigned i = 0; length < size; i++) {
		struct tc_remote_word word;
		char name[TC_OPTION_NAME_MAX], upper[TC_OPTION_NAME_MAX];

		if (!tc_remote_word(command->remote, i, &word))
			break;
		tc_option_name(command->remote, word.field, name);
		to_upper(name, upper);
		length += (size_t)snprintf(ret_text + length, size - length, " %s%s%s", upper,
					   command->remote->find && i == 0 ? "|NAME" : "",
					   word.takes_rest ? "..." : "");
	}
}
