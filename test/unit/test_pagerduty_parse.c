/* test/unit/test_pagerduty_parse.c: events of PagerDuty's API into alerts. */
#include "modules/alert/pagerduty.h"

#include "base/macro.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

TC_DEFINE_CLEANUP(json_t *, json_decref);

#define KEY "\"routing_key\":\"0123456789abcdef0123456789abcdef\""
#define PAYLOAD                                                                                    \
	"\"payload\":{\"summary\":\"Disk full\",\"source\":\"host-1\",\"severity\":\"critical\"}"
#define TRIGGER "{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\"k\"," PAYLOAD "}"

static const struct tc_alert_origin origin = {.source = "pagerduty:x", .actor = "source:x"};

/* Says what is wrong with an event, "" for nothing, with " | " between sentences. */
static const char *judge(const char *text)
{
	static char said[TC_PAGERDUTY_ERRORS_MAX * 170];
	TC_CLEANUP(json_decref) json_t *body = json_loads(text, JSON_ALLOW_NUL, NULL);
	struct tc_pagerduty_errors errors = {0};
	struct tc_pagerduty_event event;
	size_t length = 0;
	bool is_good;

	assert_non_null(body);
	said[0] = '\0';
	is_good = tc_pagerduty_read(body, &event, &errors);
	assert_int_equal(is_good, errors.count == 0);
	for (unsigned i = 0; i < errors.count; i++)
		length += (size_t)snprintf(said + length, sizeof(said) - length, "%s%s",
					   i ? " | " : "", errors.texts[i]);
	return said;
}

static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *event, *expected;
	} rows[] = {
		{TRIGGER, ""},
		{"{" KEY ",\"event_action\":\"trigger\"," PAYLOAD "}", ""},
		{"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\"\"," PAYLOAD "}", ""},
		{"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":null," PAYLOAD "}", ""},
		{"{" KEY ",\"event_action\":\"acknowledge\",\"dedup_key\":\"k\"}", ""},
		{"{" KEY ",\"event_action\":\"resolve\",\"dedup_key\":\"k\",\"payload\":7}", ""},
		{"{}", "'routing_key' is missing or blank | 'event_action' is missing or blank"},
		{"{\"routing_key\":\"short\",\"event_action\":\"resolve\",\"dedup_key\":\"k\"}",
		 "'routing_key' must have 32 characters"},
		{"{\"routing_key\":7,\"event_action\":\"resolve\",\"dedup_key\":\"k\"}",
		 "'routing_key' must be a string"},
		{"{" KEY ",\"event_action\":\"Trigger\"," PAYLOAD "}",
		 "'event_action' must be one of trigger, acknowledge, resolve"},
		{"{" KEY ",\"event_action\":[]," PAYLOAD "}", "'event_action' must be a string"},
		{"{" KEY ",\"event_action\":\"acknowledge\"}", "'dedup_key' is missing or blank"},
		{"{" KEY ",\"event_action\":\"resolve\",\"dedup_key\":\"\"}",
		 "'dedup_key' is missing or blank"},
		{"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":7," PAYLOAD "}",
		 "'dedup_key' must be a string"},
		{"{" KEY ",\"event_action\":\"trigger\"}", "'payload' is missing or blank"},
		{"{" KEY ",\"event_action\":\"trigger\",\"payload\":[]}",
		 "'payload' must be an object"},
		{"{" KEY ",\"event_action\":\"trigger\",\"payload\":{}}",
		 "'payload.summary' is missing or blank | 'payload.source' is missing or blank | "
		 "'payload.severity' is missing or blank"},
		{"{" KEY
		 ",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"s\",\"source\":{},"
		 "\"severity\":\"fatal\"}}",
		 "'payload.source' must be a string | 'payload.severity' must be one of critical, "
		 "error, warning, info"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++)
		assert_string_equal(judge(rows[i].event), rows[i].expected);
}

/* Seen to fail while only what is empty was refused. */
static void test_blanks(void **state)
{
	static const struct {
		const char *event, *expected;
	} rows[] = {
		{"{\"routing_key\":\"                                \",\"event_action\":\" \"}",
		 "'routing_key' is missing or blank | 'event_action' is missing or blank"},
		{"{" KEY ",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"\\t\\n\","
		 "\"source\":\" \","
		 "\"severity\":\"\\u3000\"}}",
		 "'payload.summary' is missing or blank | 'payload.source' is missing or blank | "
		 "'payload.severity' is missing or blank"},
		{"{" KEY ",\"event_action\":\"resolve\",\"dedup_key\":\"   \"}",
		 "'dedup_key' is missing or blank"},
		{"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\"   \"," PAYLOAD "}",
		 "'dedup_key' must not be blank; leave it out to have one made"},
		{"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\" k \"," PAYLOAD "}", ""},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++)
		assert_string_equal(judge(rows[i].event), rows[i].expected);
}

/* Seen to fail while texts were read as C reads them: each was cut at its NUL, and the event taken for another. */
static void test_nuls(void **state)
{
	static const struct {
		const char *event, *expected;
	} rows[] = {
		{"{\"routing_key\":\"0123456789abcdef0123456789abcdef\\u0000\",\"event_action\":"
		 "\"resolve\",\"dedup_key\":\"k\"}",
		 "'routing_key' must not contain NUL characters"},
		{"{" KEY ",\"event_action\":\"trigger\\u0000x\"," PAYLOAD "}",
		 "'event_action' must not contain NUL characters"},
		{"{" KEY ",\"event_action\":\"resolve\",\"dedup_key\":\"aa\\u0000zz\"}",
		 "'dedup_key' must not contain NUL characters"},
		{"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\"\\u0000\"," PAYLOAD "}",
		 "'dedup_key' must not contain NUL characters"},
		{"{" KEY
		 ",\"event_action\":\"trigger\",\"client\":\"a\\u0000\",\"links\":[{\"text\":"
		 "\"\\u0000\"}],\"payload\":{\"summary\":\"\\u0000\",\"source\":\"a\\u0000b\","
		 "\"severity\":\"info\\u0000x\",\"component\":\"a\\u0000b\"}}",
		 "'client' must not contain NUL characters | "
		 "'links' must not contain NUL characters | "
		 "'payload.summary' must not contain NUL characters | "
		 "'payload.source' must not contain NUL characters | "
		 "'payload.severity' must not contain NUL characters | "
		 "'payload.component' must not contain NUL characters"},
		{"{" KEY
		 ",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"s\",\"source\":\"s\","
		 "\"severity\":\"info\",\"custom_details\":{\"system\":\"a\\u0000b\"}}}",
		 "'payload.custom_details' must not contain NUL characters"},
		/* What is not read may have them. */
		{"{" KEY ",\"event_action\":\"resolve\",\"dedup_key\":\"k\",\"client\":\"\\u0000\","
		 "\"payload\":{\"summary\":\"\\u0000\"}}",
		 ""},
		{"{" KEY
		 ",\"event_action\":\"trigger\",\"other\":\"\\u0000\",\"payload\":{\"summary\":"
		 "\"s\",\"source\":\"s\",\"severity\":\"info\",\"timestamp\":\"\\u0000\"}}",
		 ""},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++)
		assert_string_equal(judge(rows[i].event), rows[i].expected);
}

/* A trigger whose summary and dedup key have so many characters, of four bytes each. */
static char *make_long(unsigned summary, unsigned key)
{
	struct tc_buffer text = {0};

	tc_buffer_append_text(&text, "{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\"");
	for (unsigned i = 0; i < key; i++)
		tc_buffer_append_text(&text, "\U0001f525");
	tc_buffer_append_text(
		&text, "\",\"payload\":{\"source\":\"s\",\"severity\":\"info\",\"summary\":\"");
	for (unsigned i = 0; i < summary; i++)
		tc_buffer_append_text(&text, "\U0001f525");
	tc_buffer_append_text(&text, "\"}}");
	return tc_buffer_steal(&text);
}

static void test_bounds(void **state)
{
	static const struct {
		unsigned summary, key;
		const char *expected;
	} rows[] = {
		{1024, 255, ""},
		{1025, 255, "'payload.summary' must have at most 1024 characters"},
		{1, 256, "'dedup_key' must have at most 255 characters"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		char *text = make_long(rows[i].summary, rows[i].key);

		assert_string_equal(judge(text), rows[i].expected);
		free(text);
	}
}

/* Which system each payload is about; the parts come after the source. The blank ones were seen to fail: they
 * were systems. */
static void test_systems_and_severities(void **state)
{
	static const struct {
		const char *severity, *parts, *expected_severity, *expected_system;
	} rows[] = {
		{"critical", "", "critical", "host-1"},
		{"error", ",\"component\":\"db\"", "major", "db"},
		{"warning", ",\"component\":\"\"", "major", "host-1"},
		{"warning", ",\"component\":\" \"", "major", "host-1"},
		{"info", ",\"component\":7", "minor", "host-1"},
		{"info", ",\"component\":\"db\",\"custom_details\":{\"system\":\"shop\"}", "minor",
		 "shop"},
		{"info", ",\"component\":\"db\",\"custom_details\":{\"system\":\"\"}", "minor",
		 "db"},
		{"info", ",\"component\":\"db\",\"custom_details\":{\"system\":\"\\t\"}", "minor",
		 "db"},
		{"info", ",\"custom_details\":{\"system\":{}}", "minor", "host-1"},
		{"info", ",\"custom_details\":\"system\"", "minor", "host-1"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		char text[512];
		TC_CLEANUP(json_decref) json_t *body = NULL;
		struct tc_pagerduty_errors errors = {0};
		struct tc_pagerduty_event event;

		snprintf(text, sizeof(text),
			 "{" KEY ",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"x\","
			 "\"source\":\"host-1\",\"severity\":\"%s\"%s}}",
			 rows[i].severity, rows[i].parts);
		body = json_loads(text, 0, NULL);
		assert_true(tc_pagerduty_read(body, &event, &errors));
		assert_string_equal(event.severity, rows[i].expected_severity);
		assert_string_equal(event.system, rows[i].expected_system);
		assert_int_equal(strlen(event.dedup_key), TC_UUID_SIZE - 1);
	}
}

static void test_what_is_kept(void **state)
{
	static const char text[] =
		"{" KEY ",\"event_action\":\"trigger\",\"dedup_key\":\"k\",\"client\":\"Nagios\","
		"\"links\":[{\"href\":\"http://x\"}],\"other\":1,\"payload\":{\"summary\":\"Disk "
		"full\","
		"\"source\":\"host-1\",\"severity\":\"error\",\"group\":\"g\",\"class\":{},"
		"\"timestamp\":\"2026-01-01T00:00:00Z\",\"custom_details\":{\"free\":0.5}}}";
	TC_CLEANUP(json_decref) json_t *body = json_loads(text, 0, NULL);
	TC_CLEANUP(tc_alert_request_free) struct tc_alert_request *request = NULL;
	struct tc_pagerduty_errors errors = {0};
	struct tc_pagerduty_event event;
	const struct tc_alert *alert;

	(void)state;
	assert_true(tc_pagerduty_read(body, &event, &errors));
	request = tc_pagerduty_request(body, &event, &origin, event.system);
	assert_int_equal(request->count, 1);
	alert = &request->alerts[0];
	assert_int_equal(alert->report, TC_ALERT_FIRING);
	assert_string_equal(alert->dedup_key, "k");
	assert_string_equal(alert->identity, "pagerduty:x\x1fk");
	assert_string_equal(alert->lock_key, "incident.dedupe-open-for-system:host-1");
	assert_string_equal(alert->title, "Disk full");
	assert_string_equal(alert->labels, "{\"source\":\"host-1\",\"group\":\"g\"}");
	assert_string_equal(alert->annotations,
			    "{\"client\":\"Nagios\",\"links\":[{\"href\":\"http://x\"}],"
			    "\"summary\":\"Disk full\",\"custom_details\":{\"free\":0.5}}");
}

static void test_long_summaries_are_cut(void **state)
{
	char *text = make_long(1024, 255);
	TC_CLEANUP(json_decref) json_t *body = json_loads(text, 0, NULL);
	TC_CLEANUP(tc_alert_request_free) struct tc_alert_request *request = NULL;
	struct tc_pagerduty_errors errors = {0};
	struct tc_pagerduty_event event;

	(void)state;
	assert_true(tc_pagerduty_read(body, &event, &errors));
	request = tc_pagerduty_request(body, &event, &origin, event.system);
	assert_int_equal(strlen(request->alerts[0].title), 500 * 4);
	assert_int_equal(strlen(request->alerts[0].dedup_key), 255 * 4);
	assert_non_null(strstr(request->alerts[0].annotations, "\U0001f525"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_wrong),
		cmocka_unit_test(test_nuls),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_systems_and_severities),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_long_summaries_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
