/* fuzz_query.c: any bytes as "SEGMENT?NAME=VALUE&...", decoded and checked as path and query. */
#include "base/memory.h"
#include "base/utf8.h"
#include "core/procedure/input.h"
#include "core/procedure/validate.h"
#include "fuzz_fields.h"
#include "fuzz_problem.h"
#include "http/url.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes in place; the rest of the program may rely on UTF-8 without NUL. */
static bool decode(char *text)
{
	size_t length;

	if (!tc_url_decode(text, strlen(text), &length))
		return false;
	if (strlen(text) != length || !tc_utf8_is_valid(text, length))
		abort();
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TC_FREE char *text = strndup((const char *)data, size);
	char *query = strchr(text, '?'), *state = NULL;
	json_t *parameters = json_object();
	struct tc_problem problem;

	tc_input_begin(&problem);
	if (query)
		*query++ = '\0';
	if (decode(text))
		tc_input_add_path(&fuzz_fields[TC_ARRAY_LENGTH(fuzz_fields) - 2], parameters, text,
				  &problem);
	for (char *pair = query ? strtok_r(query, "&", &state) : NULL; pair;
	     pair = strtok_r(NULL, "&", &state)) {
		char *value = strchr(pair, '=');

		if (value)
			*value++ = '\0';
		if (decode(pair) && (!value || decode(value)))
			tc_input_add_query(&fuzz_procedure, TC_PLACE(TC_IN_QUERY), parameters, pair,
					   value ? value : "", &problem);
	}
	tc_input_check_query(&fuzz_procedure, TC_PLACE(TC_IN_QUERY), parameters, &problem);
	tc_input_end(&problem);
	if ((problem.errors_count > 0) != (problem.status == 400))
		abort();
	if (problem.status)
		fuzz_check_problem(&problem);
	json_decref(parameters);
	return 0;
}
