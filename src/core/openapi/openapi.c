/* core/openapi/openapi.c: OpenAPI 3.1.0 (https://spec.openapis.org/oas/v3.1.0); see openapi.h. */
#include "core/openapi/openapi.h"

#include "core/openapi/openapi_schema.h"
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE    "application/json"
#define PROBLEM_TYPE "application/problem+json"

static bool has_etag(const struct tc_procedure *row)
{
	return row->method == TC_GET && !(row->flags & TC_STREAMS);
}

static bool has_body(const struct tc_procedure *row)
{
	for (const struct tc_field *field = row->fields; field && field->type; field++)
		if (field->place == TC_IN_BODY)
			return true;
	return false;
}

/* Who calls is asked of every row but some. */
static bool asks_who(const struct tc_procedure *row)
{
	return !(row->flags & (TC_CALLER_IGNORED | TC_FOREIGN));
}

/* --- input --- */

static json_t *parameter(struct tc_document *document, const char *name, const char *place,
			 bool is_required, json_t *schema, const char *description)
{
	json_t *object = json_object();

	tc_document_put(document, object, "name", json_string(name));
	tc_document_put(document, object, "in", json_string(place));
	tc_document_put(document, object, "required", json_boolean(is_required));
	if (description)
		tc_document_put(document, object, "description", json_string(description));
	tc_document_put(document, object, "schema", schema);
	return object;
}

static void add_parameters(struct tc_document *document, json_t *operation,
			   const struct tc_procedure *row)
{
	json_t *list = json_array();

	for (const struct tc_field *field = row->fields; field && field->type; field++) {
		bool is_path = field->place == TC_IN_PATH;

		if (field->place != TC_IN_BODY)
			tc_document_append(
				document, list,
				parameter(document, field->name, tc_document_place(field->place),
					  is_path || field->flags & TC_REQUIRED,
					  tc_document_field(document, field), field->description));
	}
	if (tc_procedure_is_idempotent(row))
		tc_document_append(document, list,
				   tc_document_ref(document, "parameters", "IdempotencyKey"));
	if (has_etag(row))
		tc_document_append(document, list,
				   tc_document_ref(document, "parameters", "IfNoneMatch"));
	tc_document_put(document, operation, "parameters", list);
}

static void add_body(struct tc_document *document, json_t *operation,
		     const struct tc_procedure *row)
{
	json_t *properties, *required, *schema, *body;

	if (!has_body(row))
		return;
	properties = json_object();
	required = json_array();
	schema = json_object();
	body = json_object();
	for (const struct tc_field *field = row->fields; field && field->type; field++) {
		if (field->place != TC_IN_BODY)
			continue;
		tc_document_put(document, properties, field->name,
				tc_document_field(document, field));
		if (field->flags & TC_REQUIRED)
			tc_document_append(document, required, json_string(field->name));
	}
	tc_document_put(document, body, "required", json_boolean(json_array_size(required) > 0));
	tc_document_put(document, schema, "type", json_string("object"));
	tc_document_put(document, schema, "properties", properties);
	if (json_array_size(required) > 0)
		tc_document_put(document, schema, "required", required);
	else
		json_decref(required);
	tc_document_put(document, schema, "additionalProperties",
			json_boolean(row->flags & TC_UNKNOWN_FIELDS_ALLOWED));
	tc_document_put(document, body, "content",
			tc_document_content(document, JSON_TYPE, schema));
	tc_document_put(document, operation, "requestBody", body);
}

/* --- answers --- */

/* "A/B" as either, "A" as it is; `length` of the text counts. */
static json_t *answer_schema(struct tc_document *document, const char *text, size_t length)
{
	json_t *choices = json_array(), *schema;
	char name[64];

	while (length > 0) {
		size_t part = 0;

		while (part < length && text[part] != '/')
			part++;
		snprintf(name, sizeof(name), "%.*s", (int)part, text);
		tc_document_append(document, choices, tc_document_schema(document, name));
		part = part < length ? part + 1 : part;
		text += part;
		length -= part;
	}
	if (json_array_size(choices) != 1) {
		schema = json_object();
		tc_document_put(document, schema, "oneOf", choices);
		return schema;
	}
	schema = json_incref(json_array_get(choices, 0));
	json_decref(choices);
	return schema;
}

static void add_etag(struct tc_document *document, json_t *response)
{
	json_t *headers = json_object();

	tc_document_put(document, headers, "ETag", tc_document_ref(document, "headers", "ETag"));
	tc_document_put(document, response, "headers", headers);
}

/* The answer of a row without `answers`, of its `content_type` without parameters such as the character set. */
static void add_content(struct tc_document *document, json_t *response,
			const struct tc_procedure *row)
{
	json_t *schema;
	char type[64];

	assert(row->content_type);
	snprintf(type, sizeof(type), "%.*s", (int)strcspn(row->content_type, ";"),
		 row->content_type);
	if (strcmp(type, JSON_TYPE) == 0) {
		schema = tc_document_object(document);
	} else {
		schema = json_object();
		tc_document_put(document, schema, "type", json_string("string"));
	}
	tc_document_put(document, response, "content", tc_document_content(document, type, schema));
}

/* What the row's `answers` say: "201 A/B, 200 C". */
static void add_successes(struct tc_document *document, json_t *responses,
			  const struct tc_procedure *row)
{
	const char *text = row->answers ? row->answers : "200";

	while (*text) {
		size_t length = strcspn(text, ",");
		json_t *response = json_object();
		char status[4];

		snprintf(status, sizeof(status), "%.3s", text);
		tc_document_put(
			document, response, "description",
			json_string(length > 3 ? text[4] == '-' ? "Done" : "The answer" : "Done"));
		if (length > 4)
			tc_document_put(
				document, response, "content",
				tc_document_content(document, JSON_TYPE,
						    answer_schema(document, text + 4, length - 4)));
		if (!row->answers)
			add_content(document, response, row);
		if (has_etag(row))
			add_etag(document, response);
		tc_document_put(document, responses, status, response);
		text += length;
		text += strspn(text, ", ");
	}
}

static void add_problem(struct tc_document *document, json_t *responses, const char *status)
{
	tc_document_put(document, responses, status,
			tc_document_ref(document, "responses", "Problem"));
}

/* The first of "401 429"; returns what follows it. */
static const char *split_status(const char *text, char ret_status[static 4])
{
	snprintf(ret_status, 4, "%.3s", text);
	text += strcspn(text, " ");
	return text + strspn(text, " ");
}

/* In a form of their own; a problem document where the procedure never saw the call. */
static void add_foreign_refusals(struct tc_document *document, json_t *responses,
				 const struct tc_procedure *row)
{
	const char *text = row->refuses ? row->refuses : "";
	char status[4];

	assert(!row->refuses == !row->refusal);
	while (*text) {
		json_t *response = json_object(), *problem = json_object(), *content;

		content = tc_document_content(document, JSON_TYPE,
					      tc_document_schema(document, row->refusal));
		tc_document_put(document, problem, "schema",
				tc_document_schema(document, "Problem"));
		tc_document_put(document, content, PROBLEM_TYPE, problem);
		tc_document_put(document, response, "description", json_string("Refused"));
		tc_document_put(document, response, "content", content);
		text = split_status(text, status);
		tc_document_put(document, responses, status, response);
	}
	add_problem(document, responses, "default");
}

/* What is said before the row's handler has the call, or in its place; then what the handler says. A session also has
 * to show, with any method but GET and HEAD, that its owner wants the request. */
static void add_refusals(struct tc_document *document, json_t *responses,
			 const struct tc_procedure *row)
{
	const char *text = row->refuses ? row->refuses : "";
	char status[4];

	add_problem(document, responses, "400");
	if (asks_who(row))
		add_problem(document, responses, "401");
	if (row->rule || (asks_who(row) && row->method != TC_GET))
		add_problem(document, responses, "403");
	if (has_body(row)) {
		add_problem(document, responses, "413");
		add_problem(document, responses, "415");
	}
	if (tc_procedure_is_idempotent(row)) {
		add_problem(document, responses, "409"); /* the first request still runs */
		add_problem(document, responses, "422"); /* it had other input */
	}
	while (*text) {
		text = split_status(text, status);
		add_problem(document, responses, status);
	}
}

static void add_responses(struct tc_document *document, json_t *operation,
			  const struct tc_procedure *row)
{
	json_t *responses = json_object();

	add_successes(document, responses, row);
	if (row->flags & TC_FOREIGN) {
		add_foreign_refusals(document, responses, row);
		tc_document_put(document, operation, "responses", responses);
		return;
	}
	if (has_etag(row))
		tc_document_put(document, responses, "304",
				tc_document_ref(document, "responses", "NotModified"));
	add_refusals(document, responses, row);
	add_problem(document, responses, "503");
	add_problem(document, responses, "default");
	tc_document_put(document, operation, "responses", responses);
}

/* --- access --- */

static void add_scheme(struct tc_document *document, json_t *list, const char *scheme,
		       uint32_t rules)
{
	json_t *names = json_array(), *object = json_object();

	for (const struct tc_rule *rule = tc_rules; rule->name; rule++)
		if (rules & rule->rule)
			tc_document_append(document, names, json_string(rule->name));
	tc_document_put(document, object, scheme, names);
	tc_document_append(document, list, object);
}

static void add_security(struct tc_document *document, json_t *operation,
			 const struct tc_procedure *row, uint32_t anonymous_rules)
{
	bool needs_session = row->flags & TC_SESSION_NEEDED;
	json_t *list = json_array();

	if (asks_who(row) && !needs_session && !(row->rule & ~anonymous_rules))
		tc_document_append(document, list, json_object());
	if (asks_who(row) && !needs_session)
		add_scheme(document, list, "key", row->rule);
	if (asks_who(row))
		add_scheme(document, list, "session", row->rule);
	tc_document_put(document, operation, "security", list);
}

/* --- the document --- */

static void add_operation(struct tc_document *document, json_t *paths,
			  const struct tc_procedure *row, const struct tc_openapi_options *options)
{
	json_t *path = json_object_get(paths, row->path), *operation = json_object(),
	       *tags = json_array();
	char method[8] = "";

	for (size_t i = 0; tc_method_names[row->method][i] && i < sizeof(method) - 1; i++)
		method[i] = (char)tolower((unsigned char)tc_method_names[row->method][i]);
	if (!path) {
		path = json_object();
		tc_document_put(document, paths, row->path, path);
	}
	tc_document_append(document, tags, json_string(row->group ? row->group : "server"));
	tc_document_put(document, operation, "operationId", json_string(row->name));
	tc_document_put(document, operation, "summary", json_string(row->summary));
	tc_document_put(document, operation, "tags", tags);
	add_parameters(document, operation, row);
	add_body(document, operation, row);
	add_responses(document, operation, row);
	add_security(document, operation, row, options->anonymous_rules);
	tc_document_put(document, path, method, operation);
}

static const char head[] =
	"{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Tocsin\",\"version\":\"\",\"summary\":"
	"\"An incident server\",\"description\":\"Every procedure that has a tag other than "
	"`server` also answers at `POST /rest/TAG/OPERATION`, with all its input as one JSON "
	"object. There every change takes Idempotency-Key, with its 409 and 422, a session "
	"sends its token with every POST, else 403, and a body may be refused with 413 and "
	"415.\",\"license\":{\"name\":\"Apache 2.0\",\"identifier\":\"Apache-2.0\"}},"
	"\"servers\":[{\"url\":\"/\"}],\"tags\":[]}";

static void add_tags(struct tc_document *document, json_t *root,
		     const struct tc_openapi_options *options)
{
	json_t *seen = json_object(), *list = json_object_get(root, "tags");

	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name; row++) {
			const char *name = row->group ? row->group : "server";
			json_t *tag;

			if (json_object_get(seen, name))
				continue;
			tag = json_object();
			tc_document_put(document, seen, name, json_true());
			tc_document_put(document, tag, "name", json_string(name));
			tc_document_append(document, list, tag);
		}
	json_decref(seen);
}

int tc_openapi_format(const struct tc_openapi_options *options, struct tc_buffer *ret_json,
		      struct tocsin_error *error)
{
	struct tc_document document = {.schemas = options->schemas};
	json_t *root = json_loads(head, 0, NULL), *paths = json_object();
	char *text = NULL;

	tc_document_put(&document, json_object_get(root, "info"), "version",
			json_string(options->version));
	add_tags(&document, root, options);
	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name; row++)
			add_operation(&document, paths, row, options);
	tc_document_put(&document, root, "paths", paths);
	tc_document_put(&document, root, "components", tc_document_components(&document));
	if (!document.failed && !document.unknown[0])
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (document.unknown[0])
		return tocsin_error_set(error, TOCSIN_E_INVALID, "there is no schema %s",
					document.unknown);
	if (text)
		tc_buffer_append_text(ret_json, text);
	free(text);
	if (!text || ret_json->failed)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for OpenAPI");
	return TOCSIN_OK;
}
