/* fuzz_input.c: any bytes as a JSON body, parsed and checked. What passes must be printable JSON that
 * passes again; what does not must come with a problem that says so. */
#include "base/memory.h"
#include "core/procedure/input.h"
#include "core/procedure/validate.h"
#include "fuzz_fields.h"
#include "fuzz_problem.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *check(const char *body, size_t length, struct tc_problem *problem)
{
	json_t *input;

	tc_input_begin(problem);
	input = tc_input_parse("application/json", body, length, problem);
	if (input)
		tc_input_check_body(&fuzz_procedure, TC_PLACE(TC_IN_BODY), input, problem);
	tc_input_end(problem);
	return input;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tc_problem problem;
	json_t *input = check((const char *)data, size, &problem);

	if ((!input || problem.errors_count > 0) != (problem.status == 400))
		abort();
	if (problem.status) {
		fuzz_check_problem(&problem);
	} else {
		TC_FREE char *text = json_dumps(input, 0);
		json_t *again = check(text, strlen(text), &problem);

		if (problem.status || !json_equal(input, again))
			abort();
		json_decref(again);
	}
	json_decref(input);
	return 0;
}
