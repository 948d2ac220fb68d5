/* Tests of core/metrics.h. */
#include "unit.h"

#include "base/macro.h"
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

/* Fields of each size, of one source and of two. Seen to fail with all fields read as uint64_t, as neighbours are then
 * part of the number. */
static void test_tables(void **state)
{
	struct numbers {
		unsigned now, next;
		uint64_t us;
		size_t bytes;
		long nodes;
		bool is_up, is_down;
	};
	static const struct tc_metric rows[] = {
		{"now", "gauge", "Now.", TC_METRIC(struct numbers, now)},
		{"seconds_total", "counter", "Time.", TC_METRIC(struct numbers, us),
		 .per_unit = 1e6},
		{"up", "gauge", "Up.", TC_METRIC(struct numbers, is_up)},
	};
	static const struct tc_metric others[] = {
		{"of", "gauge", "Of.", TC_METRIC(struct numbers, bytes), .labels = "of=\"b\""},
		{"of", "gauge", NULL, TC_METRIC(struct numbers, nodes), .labels = "of=\"n\""},
	};
	const struct numbers one = {7, 8, 1500000, (size_t)1 << 33, 3, false, true};
	const struct numbers two = {.now = 9, .us = UINT64_C(1) << 40, .is_up = true};
	const struct tc_metric_source sources[] = {{&one, NULL}, {&two, "x=\"2\""}};
	TC_BUFFER out = {0};

	(void)state;
	tc_metrics_table(&out, rows, TC_ARRAY_LENGTH(rows), sources, 2);
	tc_metrics_table(&out, others, TC_ARRAY_LENGTH(others), sources, 1);
	assert_string_equal(out.data, "# HELP now Now.\n# TYPE now gauge\nnow 7\nnow{x=\"2\"} 9\n"
				      "# HELP seconds_total Time.\n# TYPE seconds_total counter\n"
				      "seconds_total 1.5\nseconds_total{x=\"2\"} 1099511.627776\n"
				      "# HELP up Up.\n# TYPE up gauge\nup 0\nup{x=\"2\"} 1\n"
				      "# HELP of Of.\n# TYPE of gauge\n"
				      "of{of=\"b\"} 8589934592\nof{of=\"n\"} 3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
