/* app/cli/remote.c: see remote.h. The input is collected as one JSON object, as the server's handlers see it;
 * then its members go where the procedure's fields say: path, query or body. The server checks them. */
#include "app/cli/remote.h"

#include "app/cli/client.h"
#include "app/cli/fold.h"
#include "app/cli/option.h"
#include "app/cli/password.h"
#include "app/cli/show.h"
#include "app/procedures.h"
#include "base/buffer.h"
#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES ((size_t)64 * 1024)
#define PAGES_MAX      1000 /* of a list that is read to its end */

TC_DEFINE_CLEANUP(json_t *, json_decref);
TC_DEFINE_CLEANUP(char *, tc_password_free);

struct request {
	const struct tc_command *command;
	const struct tc_remote *remote;
	const struct tc_procedure *procedure;
	json_t *input; /* owned */
	const char *url;
	bool json, password_stdin;
};

/* --- reading the command line --- */

static const struct tc_field *find_field(const struct tc_procedure *procedure, const char *name)
{
	for (const struct tc_field *field = procedure->fields; field && field->type; field++)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

/* NULL if the text is no such value. */
static json_t *make_value(const struct tc_field *field, const char *text)
{
	long long number;
	char *end;

	switch (field->type) {
	case TC_FIELD_BOOLEAN:
		if (!text || strcmp(text, "true") == 0)
			return json_true();
		return strcmp(text, "false") == 0 ? json_false() : NULL;
	case TC_FIELD_INTEGER:
		errno = 0;
		number = strtoll(text, &end, 10);
		return errno || *end || !*text ? NULL : json_integer(number);
	case TC_FIELD_OBJECTS:
	case TC_FIELD_ANY:
		return json_loads(text, JSON_DECODE_ANY, NULL);
	default:
		return json_string(text); /* NULL if it is not UTF-8 */
	}
}

/* Sets or, for lists, adds. `name` is what people call it. */
static int set_field(struct request *request, const struct tc_field *field, const char *name,
		     const char *text)
{
	static const char *const kinds[] = {[TC_FIELD_BOOLEAN] = "true or false",
					    [TC_FIELD_INTEGER] = "a whole number",
					    [TC_FIELD_OBJECTS] = "JSON",
					    [TC_FIELD_ANY] = "JSON"};
	bool is_list = field->type == TC_FIELD_STRINGS || field->type == TC_FIELD_UUIDS;
	json_t *value, *list;

	/* Perhaps a variable of a script that is not set; the path would name something else. No boolean, so not NULL. */
	if (field->place == TC_IN_PATH && !*text)
		return tc_command_misused(request->command, "%s must not be empty", name);
	value = make_value(field, text);
	if (!value)
		return tc_command_misused(request->command, "%s: \"%s\" is not %s", name, text,
					  kinds[field->type] ? kinds[field->type] : "UTF-8");
	if (!is_list)
		return json_object_set_new(request->input, field->name, value) < 0 ? TC_EXIT_FAILED
										   : TC_EXIT_OK;
	list = json_object_get(request->input, field->name);
	if (!list) {
		list = json_array();
		if (json_object_set_new(request->input, field->name, list) < 0)
			list = NULL;
	}
	return json_array_append_new(list, value) < 0 ? TC_EXIT_FAILED : TC_EXIT_OK;
}

static int take_option(struct request *request, const struct tc_option *option)
{
	switch (option->kind) {
	case TC_OPTION_FIELD:
		return set_field(request, option->field, option->name, optarg);
	case TC_OPTION_CLEAR:
		json_object_set_new(request->input, option->field->name, json_null());
		return TC_EXIT_OK;
	case TC_OPTION_PASSWORD:
		request->password_stdin = true;
		return TC_EXIT_OK;
	default:
		if (strcmp(option->name, "url") == 0)
			request->url = optarg;
		else
			request->json = true;
		return TC_EXIT_OK;
	}
}

/* Everything a procedure can be told, whatever the command's row has in its place. */
static int read_options(struct request *request, int argc, char **argv, bool *ret_ended)
{
	const struct tc_command generated = {.name = request->command->name,
					     .remote = request->remote};
	struct option table[TC_OPTIONS_MAX + 1] = {0};
	struct tc_options options;
	int option, status = TC_EXIT_OK;

	tc_options_init(&options, &generated);
	for (unsigned i = 0; i < options.count; i++) {
		const struct tc_option *from = &options.list[i];

		table[i] = (struct option){.name = from->name,
					   .has_arg = from->is_optional   ? optional_argument
						      : from->argument[0] ? required_argument
									  : no_argument,
					   .val = strcmp(from->name, "help") == 0 ? 'h'
										  : 256 + (int)i};
	}
	while (status == TC_EXIT_OK &&
	       (option = tc_command_option(request->command, argc, argv, table, &status)) !=
		       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT) {
			*ret_ended = true;
			return status;
		}
		status = take_option(request, &options.list[option - 256]);
	}
	return status;
}

static int misused_words(const struct request *request)
{
	char usage[512];

	tc_option_usage(request->command, usage, sizeof(usage));
	return tc_command_misused(request->command, "a word is missing: tocsin %s %s",
				  request->command->name, usage);
}

static int read_words(struct request *request, int argc, char **argv)
{
	struct tc_remote_word word;
	int status = TC_EXIT_OK;

	for (unsigned i = 0; tc_remote_word(request->remote, i, &word) && status == TC_EXIT_OK;
	     i++) {
		const struct tc_field *field = find_field(request->procedure, word.field);

		if (optind >= argc || !field)
			return misused_words(request);
		do
			status = set_field(request, field, word.field, argv[optind++]);
		while (word.takes_rest && optind < argc && status == TC_EXIT_OK);
	}
	if (status == TC_EXIT_OK && optind < argc)
		return tc_command_misused(request->command, "there is one argument too many: %s",
					  argv[optind]);
	return status;
}

/* What was not said: defaults and passwords; and what is missing. */
static int complete(struct request *request)
{
	for (const struct tc_field *field = request->procedure->fields; field && field->type;
	     field++) {
		char text[64], name[TC_OPTION_NAME_MAX];
		bool is_required = field->flags & TC_REQUIRED;
		int status = TC_EXIT_OK;

		tc_option_name(request->remote, field->name, name);
		if (json_object_get(request->input, field->name))
			continue;
		if (tc_remote_is_secret(field)) {
			TC_CLEANUP(tc_password_free) char *password = NULL;
			struct tocsin_error error;

			if (!is_required && !request->password_stdin &&
			    !request->remote->asks_password)
				continue;
			if (tc_password_read(request->password_stdin, &password, &error))
				return tc_command_failed(request->command, &error);
			status = set_field(request, field, name, password);
		} else if (tc_remote_default(request->remote, field->name, text, sizeof(text))) {
			status = set_field(request, field, name, text);
		} else if (is_required && field->place != TC_IN_HEADER) {
			return tc_command_misused(request->command, "--%s is needed", name);
		}
		if (status != TC_EXIT_OK)
			return status;
	}
	return TC_EXIT_OK;
}

/* --- the request --- */

/* As text: booleans and numbers as JSON writes them. */
static void append_escaped(struct tc_buffer *path, json_t *value)
{
	TC_FREE char *dumped =
		json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	TC_FREE char *escaped = tc_client_escape(dumped ? dumped : json_string_value(value));

	if (escaped)
		tc_buffer_append_text(path, escaped);
	else
		path->failed = true;
}

static void append_query(struct tc_buffer *path, const char *name, json_t *value)
{
	size_t index;
	json_t *item;

	if (json_is_array(value)) {
		json_array_foreach(value, index, item) append_query(path, name, item);
		return;
	}
	tc_buffer_append_text(path,
			      path->data && memchr(path->data, '?', path->length) ? "&" : "?");
	tc_buffer_append_text(path, name);
	tc_buffer_append_text(path, "=");
	append_escaped(path, value);
}

/* "/api/v1/incidents/{id}" with its parameters in place, and the query. */
static void format_path(const struct tc_procedure *procedure, json_t *input, struct tc_buffer *path)
{
	for (const char *at = procedure->path; *at; at++) {
		char name[TC_OPTION_NAME_MAX];
		size_t length = strcspn(at, "}");

		if (*at != '{') {
			tc_buffer_append(path, at, 1);
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)length - 1, at + 1);
		append_escaped(path, json_object_get(input, name));
		at += length;
	}
	for (const struct tc_field *field = procedure->fields; field && field->type; field++) {
		json_t *value = json_object_get(input, field->name);

		if (field->place == TC_IN_QUERY && value && !path->failed)
			append_query(path, field->name, value);
	}
}

/* NULL where the procedure has no body; owned by the caller. */
static json_t *make_body(const struct tc_procedure *procedure, json_t *input)
{
	json_t *body = NULL;

	for (const struct tc_field *field = procedure->fields; field && field->type; field++) {
		if (field->place != TC_IN_BODY)
			continue;
		if (!body)
			body = json_object();
		if (json_object_get(input, field->name))
			json_object_set(body, field->name, json_object_get(input, field->name));
	}
	return body;
}

static int call(const char *url, const struct tc_procedure *procedure, json_t *input,
		json_t **ret_answer, struct tocsin_error *error)
{
	static const char *const methods[] = {[TC_GET] = "GET",
					      [TC_POST] = "POST",
					      [TC_PATCH] = "PATCH",
					      [TC_PUT] = "PUT",
					      [TC_DELETE] = "DELETE"};
	TC_BUFFER path = {.max = PATH_MAX_BYTES};
	TC_CLEANUP(json_decref) json_t *body = make_body(procedure, input);

	format_path(procedure, input, &path);
	if (path.failed)
		return tocsin_error_set(error, TOCSIN_E_INVALID, "the options are too long");
	return tc_client_run(
		&(struct tc_client_request){.url = url,
					    .method = methods[procedure->method],
					    .path = path.data,
					    .body = body,
					    .takes_text = procedure->content_type != NULL},
		ret_answer, error);
}

/* --- names --- */

static bool is_uuid(const char *text)
{
	return strlen(text) == 36 && text[strspn(text, "0123456789abcdefABCDEF-")] == '\0';
}

static json_t *first_list(json_t *answer)
{
	const char *name;
	json_t *value;

	json_object_foreach(answer, name, value)
	{
		if (json_is_array(value))
			return value;
	}
	return NULL;
}

/* Puts the id of what has that name in its place, page by page; names are unique without regard to case. */
static int resolve_name(struct request *request, struct tocsin_error *error)
{
	const struct tc_procedure *list = tc_procedure_find(request->remote->find);
	struct tc_remote_word word = {0};
	const char *field = request->remote->find_field, *name;
	TC_CLEANUP(json_decref) json_t *input = json_object();

	if (!field && tc_remote_word(request->remote, 0, &word))
		field = word.field;
	name = field ? json_string_value(json_object_get(request->input, field)) : NULL;
	if (!name || is_uuid(name))
		return TOCSIN_OK;
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		TC_CLEANUP(json_decref) json_t *answer = NULL;
		size_t index;
		json_t *item;
		int result = call(request->url, list, input, &answer, error);

		if (result != TOCSIN_OK)
			return result;
		json_array_foreach(first_list(answer), index, item)
		{
			const char *other = json_string_value(json_object_get(item, "name"));

			if (other && tc_fold_is_same(other, name)) {
				json_object_set(request->input, field, json_object_get(item, "id"));
				return TOCSIN_OK;
			}
		}
		if (!json_object_get(answer, "nextCursor"))
			break;
		json_object_set(input, "cursor", json_object_get(answer, "nextCursor"));
	}
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "nothing is called \"%.100s\"", name);
}

/* --- lists of commands that may also go straight to the database --- */

/* Every page as one array: what such a command prints is the same, wherever it is from. */
static int call_every_page(struct request *request, json_t **ret_all, struct tocsin_error *error)
{
	const struct tc_field *limit = find_field(request->procedure, "limit");
	TC_CLEANUP(json_decref) json_t *all = json_array();

	if (limit && !json_object_get(request->input, limit->name))
		json_object_set_new(request->input, limit->name, json_integer(limit->max));
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		TC_CLEANUP(json_decref) json_t *answer = NULL;
		json_t *next;
		int result = call(request->url, request->procedure, request->input, &answer, error);

		if (result != TOCSIN_OK)
			return result;
		if (json_array_extend(all, first_list(answer)) < 0)
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"the server answered something without a list");
		next = json_object_get(answer, "nextCursor");
		if (!next) {
			*ret_all = tc_take(all);
			return TOCSIN_OK;
		}
		json_object_set(request->input, "cursor", next);
	}
	return tocsin_error_set(error, TOCSIN_E_FULL, "the list has more than %d pages", PAGES_MAX);
}

/* --- the answer --- */

static void show_list(const struct tc_remote *remote, json_t *answer)
{
	const char *next = json_string_value(json_object_get(answer, "nextCursor"));
	json_t *list = json_is_array(answer) ? answer
		       : remote->member      ? json_object_get(answer, remote->member)
					     : first_list(answer);

	tc_show_table(list, remote->columns, true);
	if (next)
		tc_command_say("there are more: --cursor=%s", next);
}

/* Whether one of many was not done: the exit status says so, too. */
static bool has_failed(json_t *answer)
{
	size_t index;
	json_t *result;

	json_array_foreach(json_object_get(answer, "results"), index, result)
	{
		const char *outcome = json_string_value(json_object_get(result, "outcome"));

		if (outcome && (strcmp(outcome, "failed") == 0 || strcmp(outcome, "notFound") == 0))
			return true;
	}
	return false;
}

static int show(const struct request *request, json_t *answer)
{
	const struct tc_remote *remote = request->remote;
	json_t *inner = remote->member ? json_object_get(answer, remote->member) : NULL;
	TC_CLEANUP(json_decref) json_t *line = NULL;
	int status;

	if (json_is_null(answer))
		return TC_EXIT_OK; /* done, and nothing to tell */
	if (request->json) {
		status = tc_command_print_json(answer);
		return has_failed(answer) ? TC_EXIT_FAILED : status;
	}
	switch (remote->view) {
	case TC_VIEW_LIST:
		show_list(remote, answer);
		break;
	case TC_VIEW_LINE:
		line = json_pack("[O]", inner ? inner : answer);
		tc_show_table(line, remote->columns, false);
		if (json_is_true(json_object_get(answer, "reused")))
			tc_command_say("this incident was open already");
		break;
	case TC_VIEW_DETAIL:
		tc_show_detail(inner ? inner : answer);
		break;
	}
	status = tc_command_finish();
	return has_failed(answer) ? TC_EXIT_FAILED : status;
}

int tc_remote_run(const struct tc_command *command, int argc, char **argv)
{
	TC_CLEANUP(json_decref) json_t *input = json_object();
	TC_CLEANUP(json_decref) json_t *answer = NULL;
	struct request request = {.command = command,
				  .remote = command->remote,
				  .procedure = tc_procedure_find(command->remote->procedure),
				  .input = input};
	struct tocsin_error error;
	bool ended = false;
	int result = TOCSIN_OK, status;

	if (!request.procedure || !input) {
		tocsin_error_set(&error, TOCSIN_E_SYSTEM, "there is no procedure %s",
				 command->remote->procedure);
		return tc_command_failed(command, &error);
	}
	status = read_options(&request, argc, argv, &ended);
	if (status == TC_EXIT_OK && !ended)
		status = read_words(&request, argc, argv);
	if (status == TC_EXIT_OK && !ended)
		status = complete(&request);
	if (status != TC_EXIT_OK || ended)
		return status;
	if (command->remote->find)
		result = resolve_name(&request, &error);
	if (result == TOCSIN_OK && command->run && command->remote->view == TC_VIEW_LIST)
		result = call_every_page(&request, &answer, &error);
	else if (result == TOCSIN_OK)
		result = call(request.url, request.procedure, input, &answer, &error);
	return result == TOCSIN_OK ? show(&request, answer) : tc_command_failed(command, &error);
}
