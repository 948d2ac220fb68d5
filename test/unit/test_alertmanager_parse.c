/* Alertmanager's webhook, version 4: what is made of it. */
#include "base/utf8.h"
#include "modules/alert/alertmanager.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PREFIX "incident.dedupe-open-for-system:"

static struct tc_alert_request *parse(const char *json)
{
	struct tc_alert_labels labels = {0};
	struct tc_alert_request *request = NULL;
	struct tc_problem problem = {0};
	struct tocsin_error error;
	json_t *alerts = json_loads(json, JSON_DECODE_ANY, NULL);

	assert_non_null(alerts);
	assert_int_equal(tc_alert_labels_init(&labels, "system,service,job,instance", NULL),
			 TOCSIN_OK);
	if (tc_alertmanager_parse(alerts, &labels, &request, &problem, &error))
		fail_msg("%s: %s", json, error.message);
	json_decref(alerts);
	tc_alert_labels_deinit(&labels);
	return request;
}

static void test_row(void **state)
{
	struct tc_alert_request *request = parse(
		"[{\"status\": \"resolved\", \"labels\": {\"b\": \"2\", \"alertname\": \"Down\", "
		"\"job\": \"db\", \"severity\": \"Critical\"}, \"annotations\": {\"summary\": \"It "
		"is down\"}, "
		"\"startsAt\": \"2026-01-01T00:00:00Z\", \"fingerprint\": \"c0ffee\"}]");
	const struct tc_alert *alert = &request->alerts[0];

	(void)state;
	assert_int_equal(request->count, 1);
	assert_int_equal(alert->report, TC_ALERT_RESOLVE);
	assert_string_equal(alert->system_id, "db");
	assert_string_equal(alert->item.key, PREFIX "db");
	assert_string_equal(alert->origin->source, "alertmanager");
	assert_string_equal(alert->dedup_key, "c0ffee");
	assert_string_equal(alert->item.exclusive, "alertmanager\x1f"
						   "c0ffee");
	assert_string_equal(alert->severity, "critical");
	assert_string_equal(alert->title, "It is down");
	assert_string_equal(
		alert->labels,
		"{\"alertname\":\"Down\",\"b\":\"2\",\"job\":\"db\",\"severity\":\"Critical\"}");
	assert_string_equal(alert->annotations, "{\"summary\":\"It is down\"}");
	assert_true(tc_uuid_is_valid(alert->incident_id));
	tc_alert_request_free(request);
}

/* One case a row: labels and annotations, then system, severity and title. */
static void test_mapping(void **state)
{
	static const struct {
		const char *rest, *system, *severity, *title;
	} cases[] = {
		{"", "unknown", "minor", "Alert on unknown"},
		{"\"labels\": {}", "unknown", "minor", "Alert on unknown"},
		{"\"labels\": null, \"annotations\": null", "unknown", "minor", "Alert on unknown"},
		{"\"labels\": {\"alertname\": \"A\"}", "A", "minor", "A"},
		{"\"labels\": {\"instance\": \"i\", \"job\": \"j\"}", "j", "minor", "Alert on j"},
		{"\"labels\": {\"system\": \"\", \"service\": \"s\", \"job\": \"j\"}", "s", "minor",
		 "Alert on s"},
		{"\"labels\": {\"system\": \"x\", \"severity\": \"warning\"}", "x", "major",
		 "Alert on x"},
		{"\"labels\": {\"system\": \"x\", \"severity\": \"ERROR\"}", "x", "major",
		 "Alert on x"},
		{"\"labels\": {\"system\": \"x\", \"severity\": \"high\"}", "x", "major",
		 "Alert on x"},
		{"\"labels\": {\"system\": \"x\", \"severity\": \"page\"}", "x", "minor",
		 "Alert on x"},
		{"\"labels\": {\"alertname\": \"A\"}, \"annotations\": {\"summary\": \"\"}", "A",
		 "minor", "A"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(cases); i++) {
		struct tc_alert_request *request;
		char json[512];

		snprintf(json, sizeof(json), "[{\"status\": \"firing\"%s%s}]",
			 *cases[i].rest ? ", " : "", cases[i].rest);
		request = parse(json);
		assert_int_equal(request->alerts[0].report, TC_ALERT_FIRING);
		assert_string_equal(request->alerts[0].system_id, cases[i].system);
		assert_string_equal(request->alerts[0].severity, cases[i].severity);
		assert_string_equal(request->alerts[0].title, cases[i].title);
		tc_alert_request_free(request);
	}
}

/* Without a fingerprint, the labels are the identity, in whatever order; and no two sets look the same. */
static void test_made_fingerprint(void **state)
{
	struct tc_alert_request *request =
		parse("[{\"status\": \"firing\", \"labels\": {\"a\": \"1\", \"b\": \"2\"}},"
		      "{\"status\": \"firing\", \"labels\": {\"b\": \"2\", \"a\": \"1\"}, "
		      "\"fingerprint\": \"\"},"
		      "{\"status\": \"firing\", \"labels\": {\"a\": \"1b\", \"2\": \"\"}},"
		      "{\"status\": \"firing\", \"labels\": {\"a\": \"2\", \"b\": \"1\"}},"
		      "{\"status\": \"firing\"}]");

	(void)state;
	assert_string_equal(request->alerts[0].dedup_key, request->alerts[1].dedup_key);
	assert_int_equal(strlen(request->alerts[0].dedup_key), 32);
	for (unsigned i = 1; i < 5; i++)
		for (unsigned j = i + 1; j < 5; j++)
			assert_string_not_equal(request->alerts[i].dedup_key,
						request->alerts[j].dedup_key);
	tc_alert_request_free(request);
}

/* Too long: titles are cut between characters; systems and dedup keys stay distinct. */
static void test_long_values(void **state)
{
	static char name[2 * 600 + 1], json[8000];
	struct tc_alert_request *request;

	(void)state;
	for (size_t i = 0; i < 600; i++)
		memcpy(name + 2 * i, "\xc3\xa9", 2);
	snprintf(json, sizeof(json),
		 "[{\"status\": \"firing\", \"labels\": {\"system\": \"%s\"}, \"annotations\": "
		 "{\"summary\": \"%s\"}, "
		 "\"fingerprint\": \"%s\"}, {\"status\": \"firing\", \"labels\": {\"system\": "
		 "\"%s!\"}, "
		 "\"fingerprint\": \"%s!\"}]",
		 name, name, name, name, name);
	request = parse(json);
	assert_int_equal(tc_utf8_length(request->alerts[0].title), 500);
	assert_true(tc_utf8_is_valid(request->alerts[0].title, strlen(request->alerts[0].title)));
	for (unsigned i = 0; i < 2; i++) {
		const struct tc_alert *alert = &request->alerts[i];

		assert_int_equal(tc_utf8_length(alert->system_id), TC_ALERT_SYSTEM_MAX);
		assert_int_equal(tc_utf8_length(alert->dedup_key), TC_ALERT_DEDUP_KEY_MAX);
		assert_true(tc_utf8_is_valid(alert->system_id, strlen(alert->system_id)));
	}
	assert_string_not_equal(request->alerts[0].system_id, request->alerts[1].system_id);
	assert_string_not_equal(request->alerts[0].dedup_key, request->alerts[1].dedup_key);
	tc_alert_request_free(request);
}

/* The statuses with a NUL were seen to fail while what is before it was all that counted. */
static void test_bad_input(void **state)
{
	static const struct {
		const char *alerts, *pointer;
	} cases[] = {
		{"{}", "/alerts"},
		{"\"x\"", "/alerts"},
		{"[1]", "/alerts/0"},
		{"[{}]", "/alerts/0/status"},
		{"[{\"status\": 1}]", "/alerts/0/status"},
		{"[{\"status\": \"firing\"}, {\"status\": \"suppressed\"}]", "/alerts/1/status"},
		{"[{\"status\": \"firing\\u0000\"}]", "/alerts/0/status"},
		{"[{\"status\": \"resolved\\u0000x\"}]", "/alerts/0/status"},
		{"[{\"status\": \"firing\", \"labels\": []}]", "/alerts/0/labels"},
		{"[{\"status\": \"firing\", \"labels\": {\"a\": 1}}]", "/alerts/0/labels"},
		{"[{\"status\": \"firing\", \"labels\": {\"a\": \"x\\u0000y\"}}]",
		 "/alerts/0/labels"},
		{"[{\"status\": \"firing\", \"annotations\": {\"a\": null}}]",
		 "/alerts/0/annotations"},
		{"[{\"status\": \"firing\", \"annotations\": {\"a\": \"x\\u0000y\"}}]",
		 "/alerts/0/annotations"},
		{"[{\"status\": \"firing\", \"fingerprint\": 7}]", "/alerts/0/fingerprint"},
		{"[{\"status\": \"firing\", \"fingerprint\": \"a\\u0000\"}]",
		 "/alerts/0/fingerprint"},
	};
	struct tc_alert_labels labels = {0};

	(void)state;
	assert_int_equal(tc_alert_labels_init(&labels, "system", NULL), TOCSIN_OK);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(cases); i++) {
		struct tc_alert_request *request = NULL;
		struct tc_problem problem = {0};
		json_t *alerts =
			json_loads(cases[i].alerts, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		assert_non_null(alerts);
		assert_int_equal(tc_alertmanager_parse(alerts, &labels, &request, &problem, NULL),
				 TOCSIN_E_INVALID);
		assert_null(request);
		assert_int_equal(problem.errors_count, 1);
		assert_string_equal(problem.errors[0].pointer, cases[i].pointer);
		json_decref(alerts);
	}
	tc_alert_labels_deinit(&labels);
}

static void test_too_many(void **state)
{
	struct tc_alert_labels labels = {0};
	struct tc_alert_request *request = NULL;
	struct tc_problem problem = {0};
	json_t *alerts = json_array(), *alert = json_pack("{s:s}", "status", "firing");

	(void)state;
	assert_int_equal(tc_alert_labels_init(&labels, "system", NULL), TOCSIN_OK);
	for (unsigned i = 0; i <= TC_ALERT_REQUEST_MAX; i++)
		json_array_append(alerts, alert);
	assert_int_equal(tc_alertmanager_parse(alerts, &labels, &request, &problem, NULL),
			 TOCSIN_E_INVALID);
	assert_string_equal(problem.errors[0].pointer, "/alerts");
	json_decref(alert);
	json_decref(alerts);
	tc_alert_labels_deinit(&labels);
}

static void test_system_labels(void **state)
{
	static const char *const bad[] = {"",    ",",  "a,",  "a,,b",
					  "a b", "1a", "a-b", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"};
	struct tc_alert_labels labels = {0};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(bad); i++)
		assert_int_equal(tc_alert_labels_init(&labels, bad[i], NULL), TOCSIN_E_INVALID);
	assert_int_equal(tc_alert_labels_init(&labels, "host,_x1", NULL), TOCSIN_OK);
	assert_int_equal(labels.count, 2);
	assert_string_equal(labels.names[1], "_x1");
	tc_alert_labels_deinit(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_made_fingerprint),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_system_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
