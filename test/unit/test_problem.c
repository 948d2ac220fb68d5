/* Tests of http/problem.h. */
#include "unit.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "http/problem.h"
#include <jansson.h>
#include <string.h>

static json_t *format(const struct tc_problem *problem)
{
	TC_BUFFER body = {0};
	json_t *parsed;

	tc_problem_format(problem, &body);
	assert_false(body.failed);
	parsed = json_loads(body.data, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(parsed); /* valid JSON, hence valid UTF-8 */
	return parsed;
}

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void test_plain(void **state)
{
	struct tc_problem problem = {.status = 404, .detail = "There is no \"x\""};
	json_t *parsed = format(&problem);

	(void)state;
	assert_string_equal(text(parsed, "type"), "about:blank");
	assert_string_equal(text(parsed, "title"), "Not Found");
	assert_int_equal(json_integer_value(json_object_get(parsed, "status")), 404);
	assert_string_equal(text(parsed, "detail"), "There is no \"x\"");
	assert_null(json_object_get(parsed, "errors"));
	json_decref(parsed);
}

static void test_errors(void **state)
{
	struct tc_problem problem = {.status = 400};
	json_t *parsed, *errors;

	(void)state;
	for (unsigned i = 0; i < TC_PROBLEM_ERRORS_MAX + 5; i++)
		tc_problem_add(&problem, "/title", "number %u", i);
	parsed = format(&problem);
	errors = json_object_get(parsed, "errors");
	assert_int_equal(json_array_size(errors), TC_PROBLEM_ERRORS_MAX);
	assert_string_equal(text(json_array_get(errors, 0), "pointer"), "/title");
	assert_string_equal(text(json_array_get(errors, 15), "detail"), "number 15");
	assert_null(json_object_get(parsed, "detail"));
	json_decref(parsed);
}

/* Long texts are cut between characters, whatever the offset. */
static void test_cut(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 4; shift++) {
		struct tc_problem problem = {.status = 400};
		char longer[1024] = "aaa";
		size_t length = shift;

		while (length < 600) {
			memcpy(longer + length, "\xf0\x9f\x98\x80", 5);
			length += 4;
		}
		tc_problem_add(&problem, longer, "%s", longer);
		memcpy(problem.detail, longer, sizeof(problem.detail) - 1);
		json_decref(format(&problem));
		assert_true(strlen(problem.errors[0].pointer) > 120);
		assert_true(strlen(problem.errors[0].detail) > 180);
		assert_true(tc_utf8_is_valid(problem.errors[0].detail,
					     strlen(problem.errors[0].detail)));
	}
}

static void test_titles(void **state)
{
	static const unsigned used[] = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(used); i++) {
		assert_string_not_equal(tc_problem_title(used[i]), "Error");
		assert_string_not_equal(tc_problem_title(used[i]), "Server Error");
	}
	assert_string_equal(tc_problem_title(418), "Error");
	assert_string_equal(tc_problem_title(599), "Server Error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_titles),
	};

	return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
