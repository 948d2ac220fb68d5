/* Tests of core/metrics.h. */
#include "unit.h"

#include "core/metrics.h"
#include <string.h>

static void assert_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (!found || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void test_requests(void **state)
{
	static const char *const names[] = {"createIncident", "getIncident"};
	TC_BUFFER out = {0};

	(void)state;
	tc_metrics_set_procedures(names, 2);
	tc_metrics_request(0, 201, 250);
	tc_metrics_request(0, 201, 251);
	tc_metrics_request(0, 503, 20000000);
	tc_metrics_request(1, 299, 1);
	tc_metrics_request(77, 404, 1);
	tc_metrics_format(&out);
	assert_false(out.failed);
#define DURATION "tocsin_http_request_duration_seconds"
	assert_line(out.data, "# TYPE tocsin_http_requests_total counter");
	assert_line(out.data,
		    "tocsin_http_requests_total{procedure=\"createIncident\",status=\"201\"} 2");
	assert_line(out.data,
		    "tocsin_http_requests_total{procedure=\"createIncident\",status=\"503\"} 1");
	assert_line(out.data,
		    "tocsin_http_requests_total{procedure=\"getIncident\",status=\"other\"} 1");
	assert_line(out.data,
		    "tocsin_http_requests_total{procedure=\"unmatched\",status=\"404\"} 1");
	assert_line(out.data, "# TYPE " DURATION " histogram");
	assert_line(out.data, DURATION "_bucket{procedure=\"createIncident\",le=\"0.00025\"} 1");
	assert_line(out.data, DURATION "_bucket{procedure=\"createIncident\",le=\"0.0005\"} 2");
	assert_line(out.data, DURATION "_bucket{procedure=\"createIncident\",le=\"10\"} 2");
	assert_line(out.data, DURATION "_bucket{procedure=\"createIncident\",le=\"+Inf\"} 3");
	assert_line(out.data, DURATION "_count{procedure=\"createIncident\"} 3");
	assert_line(out.data, DURATION "_count{procedure=\"unmatched\"} 1");
}

static void test_batches(void **state)
{
	char copy[] = "incident"; /* the same name from elsewhere is the same batcher */
	TC_BUFFER out = {0};

	(void)state;
	tc_metrics_batch("incident", 1);
	tc_metrics_batch(copy, 300);
	tc_metrics_batch("alert", 5000);
	tc_metrics_format(&out);
	assert_line(out.data, "tocsin_batch_size_bucket{batcher=\"incident\",le=\"1\"} 1");
	assert_line(out.data, "tocsin_batch_size_bucket{batcher=\"incident\",le=\"512\"} 2");
	assert_line(out.data, "tocsin_batch_size_sum{batcher=\"incident\"} 301");
	assert_line(out.data, "tocsin_batch_size_bucket{batcher=\"alert\",le=\"512\"} 0");
	assert_line(out.data, "tocsin_batch_size_bucket{batcher=\"alert\",le=\"+Inf\"} 1");
}

static void test_samples(void **state)
{
	TC_BUFFER out = {0};

	(void)state;
	tc_metrics_head(&out, "a", "gauge", "Help.");
	tc_metrics_sample(&out, "a", NULL, 0.5);
	tc_metrics_sample(&out, "a", "x=\"1\"", 12345678901.0);
	assert_string_equal(out.data,
			    "# HELP a Help.\n# TYPE a gauge\na 0.5\na{x=\"1\"} 12345678901\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
