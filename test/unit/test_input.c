/* Tests of core/procedure/input.h: one bad input a row, with the pointer and the words its problem must have. */
#include "unit.h"

#include "core/procedure/input.h"
#include "core/procedure/validate.h"
#include <stdio.h>
#include <string.h>

#define UUID "0190a0b0-1234-7abc-8def-00000000ABCD"

static void run(struct tc_call *call)
{
	(void)call; /* input is checked without it */
}

static const char *const severities[] = {"minor", "major", "critical", NULL};

static const struct tc_field fields[] = {
	{.name = "title", .type = TC_FIELD_STRING, .flags = TC_REQUIRED, .min = 1, .max = 5},
	{.name = "note", .type = TC_FIELD_STRING, .flags = TC_NULLABLE},
	{.name = "owner", .type = TC_FIELD_UUID},
	{.name = "severity", .type = TC_FIELD_ENUM, .choices = severities},
	{.name = "quiet", .type = TC_FIELD_BOOLEAN},
	{.name = "count", .type = TC_FIELD_INTEGER, .min = 1, .max = 500},
	{.name = "any_count", .type = TC_FIELD_INTEGER},
	{.name = "systems", .type = TC_FIELD_STRINGS, .min = 1, .max = 3, .item_max = 4},
	{.name = "ids", .type = TC_FIELD_UUIDS, .max = 2},
	{.name = "words", .type = TC_FIELD_STRINGS, .flags = TC_ANY_ITEMS, .min = 1, .max = 3},
	{.name = "things", .type = TC_FIELD_OBJECTS, .max = 2},
	{.name = "at", .type = TC_FIELD_TIMESTAMP},
	{.name = "extra", .type = TC_FIELD_ANY},
	{.name = "limit", .type = TC_FIELD_INTEGER, .place = TC_IN_QUERY, .min = 1, .max = 9},
	{.name = "all", .type = TC_FIELD_BOOLEAN, .place = TC_IN_QUERY},
	{.name = "status", .type = TC_FIELD_ENUM, .place = TC_IN_QUERY, .choices = severities},
	{.name = "tags", .type = TC_FIELD_STRINGS, .place = TC_IN_QUERY, .max = 2, .item_max = 3},
	{.name = "mode", .type = TC_FIELD_STRING, .place = TC_IN_QUERY, .flags = TC_REQUIRED},
	{.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH},
	{0},
};

#define IN_QUERY TC_PLACE(TC_IN_QUERY)

static const struct tc_procedure strict = {.name = "toy", .fields = fields, .run = run};
static const struct tc_procedure foreign = {
	.name = "toy", .fields = fields, .run = run, .flags = TC_UNKNOWN_FIELDS_ALLOWED};

/* Parses and checks; what is returned is the caller's, NULL when the text itself is refused. */
static json_t *check(const struct tc_procedure *procedure, const char *body, size_t length,
		     struct tc_problem *problem)
{
	json_t *input;

	tc_input_begin(problem);
	input = tc_input_parse("application/json", body, length, problem);
	if (input)
		tc_input_check_body(procedure, TC_PLACE(TC_IN_BODY), input, problem);
	tc_input_end(problem);
	return input;
}

static const struct {
	const char *members;         /* beside a good title, unless they begin with "!" */
	const char *pointer, *words; /* NULL: nothing is wrong */
} field_cases[] = {
	/* Those of "at" were seen to fail: about years while only the year as written was looked at, about
	 * offsets and leap seconds while only their form was. */
	{"!\"note\":\"x\"", "/title", "is required"},
	{"!\"title\":null", "/title", "must not be null"},
	{"!\"title\":7", "/title", "must be a string"},
	{"!\"title\":\"\"", "/title", "at least 1 character"},
	{"!\"title\":\"123456\"", "/title", "at most 5 characters"},
	{"!\"title\":\"\u00e9\u00e9\u00e9\u00e9\u00e9\"", NULL, NULL},
	{"\"note\":null", NULL, NULL},
	{"\"note\":\"\"", NULL, NULL},
	{"\"note\":\"a\\u0000b\"", "/note", "must not contain NUL"},
	{"\"severity\":\"major\\u0000\"", "/severity", "must not contain NUL"},
	{"\"systems\":[\"a\",\"b\\u0000\"]", "/systems/1", "must not contain NUL"},
	{"\"titel\":\"x\"", "/titel", "unknown field"},
	{"\"a/b~c\":1", "/a~1b~0c", "unknown field"},
	{"\"limit\":1", "/limit", "unknown field"},
	{"\"id\":1", "/id", "unknown field"},
	{"\"owner\":\"" UUID "\"", NULL, NULL},
	{"\"owner\":\"abc\"", "/owner", "must be a UUID"},
	{"\"owner\":5", "/owner", "must be a UUID"},
	{"\"severity\":\"major\"", NULL, NULL},
	{"\"severity\":\"Major\"", "/severity", "must be one of: minor, major, critical"},
	{"\"severity\":2", "/severity", "must be one of: minor, major, critical"},
	{"\"severity\":null", "/severity", "must not be null"},
	{"\"quiet\":false", NULL, NULL},
	{"\"quiet\":\"false\"", "/quiet", "must be true or false"},
	{"\"quiet\":0", "/quiet", "must be true or false"},
	{"\"count\":500", NULL, NULL},
	{"\"count\":0", "/count", "must be from 1 to 500"},
	{"\"count\":501", "/count", "must be from 1 to 500"},
	{"\"count\":1.0", "/count", "must be an integer"},
	{"\"count\":\"1\"", "/count", "must be an integer"},
	{"\"any_count\":-9223372036854775808", NULL, NULL},
	{"\"systems\":[\"a\",\"a\"]", NULL, NULL},
	{"\"systems\":[]", "/systems", "at least 1 item"},
	{"\"systems\":\"a\"", "/systems", "must be an array of strings"},
	{"\"systems\":[\"a\",\"\"]", "/systems/1", "at least 1 character"},
	{"\"systems\":[\"a\",\"12345\"]", "/systems/1", "at most 4 characters"},
	{"\"systems\":[null]", "/systems/0", "must be a string"},
	{"\"systems\":[\"a\",\"b\",\"c\",\"d\"]", "/systems", "at most 3 items"},
	{"\"words\":[\"\",\"a\\u0000b\",\"12345\"]", NULL, NULL},
	{"\"words\":[\"\",5]", "/words/1", "must be a string"},
	{"\"words\":[]", "/words", "at least 1 item"},
	{"\"ids\":[]", NULL, NULL},
	{"\"ids\":[\"" UUID "\",\"x\"]", "/ids/1", "must be a UUID"},
	{"\"ids\":{}", "/ids", "must be an array of UUIDs"},
	{"\"things\":[{\"a\":1}]", NULL, NULL},
	{"\"things\":{}", "/things", "must be an array of objects"},
	{"\"things\":null", "/things", "must not be null"},
	{"\"at\":\"2026-02-28T23:59:60Z\"", NULL, NULL},
	{"\"at\":\"2024-02-29t00:00:00.123456789+14:00\"", NULL, NULL},
	{"\"at\":\"2026-02-29T00:00:00Z\"", "/at", "RFC 3339"},
	{"\"at\":\"2026-13-01T00:00:00Z\"", "/at", "RFC 3339"},
	{"\"at\":\"0000-12-31T23:59:59-12:00\"", "/at", "years 0001 to 9999"},
	{"\"at\":\"0001-01-01T00:00:00Z\"", NULL, NULL},
	{"\"at\":\"0001-01-01T12:00:00+12:00\"", NULL, NULL},
	{"\"at\":\"0001-01-01T11:59:59.999999+12:00\"", "/at", "years 0001 to 9999"},
	{"\"at\":\"0001-01-02T00:00:00+15:59\"", NULL, NULL},
	{"\"at\":\"9999-12-31T23:59:59.999999499Z\"", NULL, NULL},
	{"\"at\":\"9999-12-31T23:59:59.9999995Z\"", "/at", "years 0001 to 9999"},
	{"\"at\":\"9999-12-31T23:59:60Z\"", "/at", "years 0001 to 9999"},
	{"\"at\":\"9999-12-31T11:59:59-12:00\"", NULL, NULL},
	{"\"at\":\"9999-12-31T11:59:60-12:00\"", "/at", "years 0001 to 9999"},
	{"\"at\":\"9999-12-31T12:00:00-12:00\"", "/at", "years 0001 to 9999"},
	{"\"at\":\"9999-12-30T23:59:59-15:59\"", NULL, NULL},
	{"\"at\":\"9999-02-28T23:59:60-15:59\"", NULL, NULL},
	{"\"at\":\"2024-02-29T23:59:59-12:00\"", NULL, NULL},
	{"\"at\":\"1900-02-29T00:00:00Z\"", "/at", "RFC 3339"},
	{"\"at\":\"2000-02-29T00:00:00Z\"", NULL, NULL},
	{"\"at\":\"2026-01-01T00:00:00+16:00\"", "/at", "offset from -15:59 to +15:59"},
	{"\"at\":\"2026-01-01T00:00:00-16:00\"", "/at", "offset from -15:59 to +15:59"},
	{"\"at\":\"2026-01-01T23:59:60.5Z\"", "/at", "23:59:60 of its day"},
	{"\"at\":\"2026-01-01T23:58:60.5Z\"", NULL, NULL},
	{"\"at\":\"2026-01-01T24:00:00Z\"", "/at", "RFC 3339"},
	{"\"at\":\"2026-01-01T00:00:00\"", "/at", "RFC 3339"},
	{"\"at\":\"2026-01-01T00:00:00.Z\"", "/at", "RFC 3339"},
	{"\"at\":\"2026-01-01T00:00:00+1:00\"", "/at", "RFC 3339"},
	{"\"at\":\"2026-01-01 00:00:00Z\"", "/at", "RFC 3339"},
	{"\"at\":\"2026-01-01T00:00:00Zx\"", "/at", "RFC 3339"},
	{"\"at\":1767225600", "/at", "RFC 3339"},
	{"\"extra\":{\"a\":[null]}", NULL, NULL},
	{"\"extra\":null", NULL, NULL},
};

static void test_fields(void **state)
{

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(field_cases); i++) {
		const char *members = field_cases[i].members;
		bool bare = members[0] == '!';
		struct tc_problem problem;
		char body[256];
		json_t *input;

		snprintf(body, sizeof(body), "{%s%s}", bare ? "" : "\"title\":\"ok\",",
			 members + bare);
		input = check(&strict, body, strlen(body), &problem);
		if (problem.errors_count != (field_cases[i].pointer != NULL) ||
		    problem.status != (field_cases[i].pointer ? 400 : 0))
			fail_msg("%s: %u errors, status %u", body, problem.errors_count,
				 problem.status);
		if (field_cases[i].pointer) {
			assert_string_equal(problem.errors[0].pointer, field_cases[i].pointer);
			if (!strstr(problem.errors[0].detail, field_cases[i].words))
				fail_msg("%s: %s", body, problem.errors[0].detail);
			assert_non_null(strstr(problem.detail, field_cases[i].pointer));
		}
		json_decref(input);
	}
}

static void test_all_errors_at_once(void **state)
{
	static const char body[] = "{\"title\":1,\"quiet\":1,\"what\":1,\"systems\":[1,2]}";
	struct tc_problem problem;
	json_t *input = check(&strict, body, strlen(body), &problem);

	(void)state;
	assert_int_equal(problem.status, 400);
	assert_int_equal(problem.errors_count, 5);
	assert_string_equal(problem.errors[4].pointer, "/systems/1");
	json_decref(input);
}

static void test_uuids_become_lower_case(void **state)
{
	static const char body[] =
		"{\"title\":\"x\",\"owner\":\"" UUID "\",\"ids\":[\"" UUID "\"]}";
	static const char lower[] = "0190a0b0-1234-7abc-8def-00000000abcd";
	struct tc_problem problem;
	json_t *input = check(&strict, body, strlen(body), &problem);

	(void)state;
	assert_int_equal(problem.status, 0);
	assert_string_equal(json_string_value(json_object_get(input, "owner")), lower);
	assert_string_equal(json_string_value(json_array_get(json_object_get(input, "ids"), 0)),
			    lower);
	json_decref(input);
}

static void test_foreign_fields(void **state)
{
	static const char body[] = "{\"title\":\"x\",\"version\":\"4\",\"alerts\":[{}]}";
	struct tc_problem problem;
	json_t *input = check(&foreign, body, strlen(body), &problem);

	(void)state;
	assert_int_equal(problem.status, 0);
	assert_non_null(json_object_get(input, "alerts"));
	json_decref(input);
}

/* What is no JSON object at all; a NUL and broken UTF-8 need lengths. */
static void test_text(void **state)
{
	static const struct {
		const char *body;
		size_t length;
		const char *words;
	} rows[] = {
		{"{\"title\":}", 10, "line 1, column"},
		{"{\n\n \"title\" 1}", 14, "line 3, column"},
		{"{\"a\":1,\"a\":2}", 13, "duplicate"},
		{"{\"\\u0000\":1}", 12, "line 1"},
		{"{\"a\":\"\0\"}", 9, "line 1"},
		{"{\"a\":\"\xff\"}", 9, "line 1"},
		{"{\"a\":\"\xed\xa0\x80\"}", 11, "line 1"},
		{"{\"a\":\"\\ud800\"}", 14, "line 1"},
		{"{} x", 4, "line 1"},
		{"[]", 2, "must be a JSON object"},
		{"null", 4, "must be a JSON object"},
		{"\"x\"", 3, "must be a JSON object"},
		{" ", 1, "line 1"},
		{"{\"a\":99999999999999999999}", 26, "line 1"},
		{"{\"a\":1e999}", 11, "line 1"},
		{"{\"a\":NaN}", 9, "line 1"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		struct tc_problem problem;

		assert_null(check(&strict, rows[i].body, rows[i].length, &problem));
		assert_int_equal(problem.status, 400);
		if (!strstr(problem.detail, rows[i].words))
			fail_msg("row %zu: %s", i, problem.detail);
	}
}

/* Seen to fail with is_too_deep taken out: the parser's own bound is 2048 levels, too many for the stacks
 * of our threads. */
static void test_depth(void **state)
{
	static char body[200001];
	struct tc_problem problem;
	size_t length;
	json_t *input;

	(void)state;
	memset(body, '[', sizeof(body) - 1);
	assert_null(check(&strict, body, sizeof(body) - 1, &problem));
	assert_int_equal(problem.status, 400);
	assert_non_null(strstr(problem.detail, "levels"));

	/* Brackets in a string are no levels, even behind an escaped quote. */
	length = (size_t)snprintf(body, sizeof(body), "{\"title\":\"x\",\"extra\":\"\\\"");
	memset(body + length, '[', 1000);
	length += 1000;
	snprintf(body + length, sizeof(body) - length, "\"}");
	input = check(&strict, body, strlen(body), &problem);
	assert_non_null(input);
	assert_int_equal(problem.status, 0);
	json_decref(input);
}

static void test_content_type(void **state)
{
	static const struct {
		const char *type;
		unsigned status;
	} rows[] = {
		{"application/json", 0},
		{"Application/JSON", 0},
		{"application/json; charset=utf-8", 0},
		{"application/json;charset=\"UTF-8\"", 0},
		{"application/json; profile=x", 0},
		{NULL, 415},
		{"", 415},
		{"text/plain", 415},
		{"application/jsonx", 415},
		{"application/json; charset=latin1", 415},
		{"application/json; charset=utf-16", 415},
		{"application/x-www-form-urlencoded", 415},
		{"application/json+x", 415},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		struct tc_problem problem;
		json_t *input;

		tc_input_begin(&problem);
		input = tc_input_parse(rows[i].type, "{}", 2, &problem);
		assert_int_equal(problem.status, rows[i].status);
		assert_int_equal(input != NULL, rows[i].status == 0);
		json_decref(input);

		/* Nothing was sent: its type does not matter. */
		input = tc_input_parse(rows[i].type, "", 0, &problem);
		assert_int_equal(json_object_size(input), 0);
		assert_true(json_is_object(input));
		json_decref(input);
	}
}

static void test_query(void **state)
{
	static const struct {
		const char *names[3], *values[3];
		const char *pointer, *words;
	} rows[] = {
		{{"limit"}, {"9"}, NULL, NULL},
		{{"limit"}, {"10"}, "limit", "must be from 1 to 9"},
		{{"limit"}, {"x"}, "limit", "must be an integer"},
		{{"limit"}, {"1-"}, "limit", "must be an integer"},
		{{"limit"}, {""}, "limit", "must be an integer"},
		{{"limit"}, {" 1"}, "limit", "must be an integer"},
		{{"limit"}, {"99999999999999999999"}, "limit", "must be an integer"},
		{{"limit", "limit"}, {"1", "1"}, "limit", "more than once"},
		{{"all"}, {"true"}, NULL, NULL},
		{{"all"}, {"1"}, "all", "must be true or false"},
		{{"status"}, {"major"}, NULL, NULL},
		{{"status"}, {"open"}, "status", "must be one of"},
		{{"tags", "tags"}, {"a", "b"}, NULL, NULL},
		{{"tags", "tags", "tags"}, {"a", "b", "c"}, "tags", "at most 2 items"},
		{{"tags"}, {"abcd"}, "tags/0", "at most 3"},
		{{"Limit"}, {"1"}, "Limit", "unknown query parameter"},
		{{"title"}, {"x"}, "title", "unknown query parameter"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		json_t *parameters = json_object();
		struct tc_problem problem;

		tc_input_begin(&problem);
		tc_input_add_query(&strict, IN_QUERY, parameters, "mode", "m", &problem);
		for (size_t j = 0; j < 3 && rows[i].names[j]; j++)
			tc_input_add_query(&strict, IN_QUERY, parameters, rows[i].names[j],
					   rows[i].values[j], &problem);
		tc_input_check_query(&strict, IN_QUERY, parameters, &problem);
		if (problem.errors_count != (rows[i].pointer != NULL))
			fail_msg("row %zu: %u errors", i, problem.errors_count);
		if (rows[i].pointer) {
			assert_string_equal(problem.errors[0].pointer, rows[i].pointer);
			assert_non_null(strstr(problem.errors[0].detail, rows[i].words));
		}
		json_decref(parameters);
	}
}

static void test_parameter_types(void **state)
{
	const struct tc_field *id = tc_validate_find(fields, "id", TC_PLACE(TC_IN_PATH));
	json_t *parameters = json_object();
	struct tc_problem problem;

	(void)state;
	tc_input_begin(&problem);
	tc_input_add_query(&strict, IN_QUERY, parameters, "limit", "7", &problem);
	tc_input_add_query(&strict, IN_QUERY, parameters, "all", "false", &problem);
	tc_input_check_query(&strict, IN_QUERY, parameters, &problem);
	assert_int_equal(problem.errors_count, 1);
	assert_string_equal(problem.errors[0].pointer, "mode");
	tc_input_add_path(id, parameters, UUID, &problem);
	assert_int_equal(problem.errors_count, 1);
	tc_input_add_path(id, parameters, "nope", &problem);
	assert_int_equal(problem.errors_count, 2);
	assert_int_equal(json_integer_value(json_object_get(parameters, "limit")), 7);
	assert_true(json_is_false(json_object_get(parameters, "all")));
	json_decref(parameters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_all_errors_at_once),
		cmocka_unit_test(test_uuids_become_lower_case),
		cmocka_unit_test(test_foreign_fields),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_content_type),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_parameter_types),
	};

	return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
