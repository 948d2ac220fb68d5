/* core/procedure/input.h: from bytes and text to validated JSON, by a row's field table. Private to core/procedure/.
 *
 * Every function here collects what it finds in `problem`, whose status is 0 while nothing is wrong,
 * and goes on, so that a caller sees all mistakes at once. No I/O, no shared state.
 *
 * `places` (TC_PLACE of validate.h): the fields that may come this way; it is not the same for every route. */
#pragma once

#include "core/procedure/procedure.h"

/* Levels of arrays and objects inside each other that a body may have: what walks it recurses. */
#define TC_INPUT_DEPTH_MAX 64

/* Prepares the parts that are read; the arrays are large and stay as they are. */
static inline void tc_input_begin(struct tc_problem *problem)
{
	problem->status = 0;
	problem->detail[0] = '\0';
	problem->errors_count = 0;
}

/* Writes the summary sentence, if errors[] has any. */
void tc_input_end(struct tc_problem *problem);

/* Parses a body: a JSON object; an empty body is {}. The caller owns what is returned; NULL when it is
 * wrong: 415 for the content type (NULL: none was sent), 400 for the text. */
json_t *tc_input_parse(const char *content_type, const char *body, size_t length,
		       struct tc_problem *problem);

/* Checks a body against the row's fields; UUIDs in it become lower case. */
void tc_input_check_body(const struct tc_procedure *procedure, unsigned places, json_t *body,
			 struct tc_problem *problem);

/* Adds one query parameter to `parameters`; then, once, checks them all. */
void tc_input_add_query(const struct tc_procedure *procedure, unsigned places, json_t *parameters,
			const char *name, const char *value, struct tc_problem *problem);
void tc_input_check_query(const struct tc_procedure *procedure, unsigned places, json_t *parameters,
			  struct tc_problem *problem);

/* Checks one decoded path segment and adds it. */
void tc_input_add_path(const struct tc_field *field, json_t *parameters, const char *value,
		       struct tc_problem *problem);
