/* fuzz_problem.h: whatever was wrong with the input, its problem document is valid JSON. */
#pragma once

#include "http/problem.h"
#include <jansson.h>
#include <stdlib.h>

static inline void fuzz_check_problem(const struct tc_problem *problem)
{
	TC_BUFFER body = {0};
	json_t *parsed;

	tc_problem_format(problem, &body);
	parsed = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, NULL);
	if (!parsed)
		abort();
	json_decref(parsed);
}
