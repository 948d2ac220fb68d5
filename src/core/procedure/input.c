/* core/procedure/input.c: the body as JSON, and query and path parameters as JSON; see input.h. */
#include "core/procedure/input.h"

#include "core/procedure/validate.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void set_problem(struct tc_problem *problem, unsigned status, const char *text)
{
	problem->status = status;
	snprintf(problem->detail, sizeof(problem->detail), "%s", text);
}

void tc_input_end(struct tc_problem *problem)
{
	const struct tc_problem_error *first = &problem->errors[0];

	if (problem->errors_count == 0 || problem->detail[0])
		return;
	if (problem->errors_count == 1)
		snprintf(problem->detail, sizeof(problem->detail), "Invalid input: %s: %s",
			 first->pointer, first->detail);
	else
		snprintf(problem->detail, sizeof(problem->detail),
			 "Invalid input: %u errors, first %s: %s", problem->errors_count,
			 first->pointer, first->detail);
}

/* The value of parameter charset must be UTF-8 (RFC 8259 knows no other); others do not matter. */
static bool is_charset_utf8(const char *parameters)
{
	const char *value = strcasestr(parameters, "charset=");
	size_t length;

	if (!value)
		return true;
	value += strlen("charset=");
	value += *value == '"';
	length = strcspn(value, "\"; \t");
	return length == strlen("utf-8") && strncasecmp(value, "utf-8", length) == 0;
}

static bool is_json_type(const char *content_type)
{
	static const char json[] = "application/json";
	size_t length = strcspn(content_type, "; \t");

	return length == strlen(json) && strncasecmp(content_type, json, length) == 0 &&
	       is_charset_utf8(content_type + length);
}

/* Parsing, freeing and printing JSON recurse: what is nested deeper than any input of ours is refused
 * before it can eat a small stack. Strings are skipped; the parser judges everything else. */
static bool is_too_deep(const char *text, size_t length)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > TC_INPUT_DEPTH_MAX)
				return true;
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return false;
}

json_t *tc_input_parse(const char *content_type, const char *body, size_t length,
		       struct tc_problem *problem)
{
	json_error_t error;
	json_t *value;

	if (length == 0) {
		value = json_object();
		if (!value)
			set_problem(problem, 503, "Out of memory; try again");
		return value;
	}
	if (!content_type || !is_json_type(content_type)) {
		set_problem(problem, 415, "The body must be application/json, in UTF-8");
		return NULL;
	}
	if (is_too_deep(body, length)) {
		set_problem(problem, 400, "The body has more than 64 levels of arrays and objects");
		return NULL;
	}
	/* NULs are let through here, so that validation can name the field that has one. */
	value = json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
			   &error);
	if (!value && json_error_code(&error) == json_error_out_of_memory) {
		set_problem(problem, 503, "Out of memory; try again");
	} else if (!value) {
		problem->status = 400;
		snprintf(problem->detail, sizeof(problem->detail),
			 "The body is not valid JSON: line %d, column %d: %s", error.line,
			 error.column, error.text);
	} else if (!json_is_object(value)) {
		set_problem(problem, 400, "The body must be a JSON object");
		json_decref(value);
		value = NULL;
	}
	return value;
}

/* A parameter's text as the JSON its type asks for; what cannot be that stays a string, which the
 * check then refuses. */
static json_t *from_text(const struct tc_field *field, const char *text)
{
	char *end;
	long long number;

	if (field->type == TC_FIELD_BOOLEAN && strcmp(text, "true") == 0)
		return json_true();
	if (field->type == TC_FIELD_BOOLEAN && strcmp(text, "false") == 0)
		return json_false();
	if (field->type == TC_FIELD_INTEGER && text[strspn(text, "-0123456789")] == '\0' &&
	    text[0]) {
		errno = 0;
		number = strtoll(text, &end, 10);
		if (errno == 0 && *end == '\0')
			return json_integer(number);
	}
	return json_string(text);
}

static bool is_array(const struct tc_field *field)
{
	return field->type == TC_FIELD_STRINGS || field->type == TC_FIELD_UUIDS;
}

/* What is in the path of the row's own route cannot be missing there; nor may it anywhere else. */
static bool is_required(const struct tc_field *field)
{
	return field->place == TC_IN_PATH || field->flags & TC_REQUIRED;
}

void tc_input_add_query(const struct tc_procedure *procedure, unsigned places, json_t *parameters,
			const char *name, const char *value, struct tc_problem *problem)
{
	const struct tc_field *field = tc_validate_find(procedure->fields, name, places);
	json_t *present;
	int result;

	if (!field) {
		tc_validate_add(problem, name, "unknown query parameter");
		return;
	}
	present = json_object_get(parameters, name);
	if (present && !is_array(field)) {
		tc_validate_add(problem, name, "given more than once");
		return;
	}
	if (!is_array(field)) {
		result = json_object_set_new(parameters, name, from_text(field, value));
	} else {
		result = present ? 0 : json_object_set_new(parameters, name, json_array());
		if (result == 0)
			result = json_array_append_new(json_object_get(parameters, name),
						       json_string(value));
	}
	if (result != 0)
		set_problem(problem, 503, "Out of memory; try again");
}

void tc_input_check_query(const struct tc_procedure *procedure, unsigned places, json_t *parameters,
			  struct tc_problem *problem)
{
	for (const struct tc_field *field = procedure->fields; field && field->type; field++) {
		json_t *value;

		if (!(TC_PLACE(field->place) & places))
			continue;
		value = json_object_get(parameters, field->name);
		if (value)
			tc_validate_value(field, value, field->name, problem);
		else if (is_required(field))
			tc_validate_add(problem, field->name, "is required");
	}
}

void tc_input_add_path(const struct tc_field *field, json_t *parameters, const char *value,
		       struct tc_problem *problem)
{
	json_t *converted = from_text(field, value);

	/* The object takes the value over, also where it fails. */
	if (json_object_set_new(parameters, field->name, converted) != 0)
		set_problem(problem, 503, "Out of memory; try again");
	else
		tc_validate_value(field, converted, field->name, problem);
}

void tc_input_check_body(const struct tc_procedure *procedure, unsigned places, json_t *body,
			 struct tc_problem *problem)
{
	const char *name;
	json_t *value;

	json_object_foreach(body, name, value)
	{
		const struct tc_field *field = tc_validate_find(procedure->fields, name, places);
		char pointer[TC_VALIDATE_POINTER_SIZE];

		tc_validate_pointer(name, pointer);
		if (field)
			tc_validate_value(field, value, pointer, problem);
		else if (!(procedure->flags & TC_UNKNOWN_FIELDS_ALLOWED))
			tc_validate_add(problem, pointer, "unknown field");
	}
	for (const struct tc_field *field = procedure->fields; field && field->type; field++) {
		char pointer[TC_VALIDATE_POINTER_SIZE];

		if (!(TC_PLACE(field->place) & places) || !is_required(field) ||
		    json_object_get(body, field->name))
			continue;
		tc_validate_pointer(field->name, pointer);
		tc_validate_add(problem, pointer, "is required");
	}
}
