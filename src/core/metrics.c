/* core/metrics.c: see metrics.h. Static tables of relaxed atomics: a count may be a moment behind
 * another one in a scrape, and no update waits for anything. */
#include "core/metrics.h"

#include "base/macro.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Rows for procedures; the last one is for what matches none. */
#define PROCEDURES_MAX 128
#define UNMATCHED      (PROCEDURES_MAX - 1)
#define BATCHERS_MAX   8

static const unsigned statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405,
				    409, 412, 413, 415, 422, 429, 500, 501, 503, 0 /* any other */};

static const uint64_t duration_bounds_us[] = {250,    500,     1000,    2500,    5000,
					      10000,  25000,   50000,   100000,  250000,
					      500000, 1000000, 2500000, 5000000, 10000000};
static const uint64_t batch_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

#define BUCKETS_MAX 16 /* the bounds, and one for what is beyond them */
_Static_assert(TC_ARRAY_LENGTH(duration_bounds_us) < BUCKETS_MAX, "a bucket is left for the rest");
_Static_assert(TC_ARRAY_LENGTH(batch_bounds) < BUCKETS_MAX, "a bucket is left for the rest");

struct tc_histogram {
	_Atomic uint64_t buckets[BUCKETS_MAX]; /* not cumulative */
	_Atomic uint64_t sum;
};

/* How a histogram's numbers are read: its bounds, and what divides them into the exposed unit. */
struct scale {
	const uint64_t *bounds;
	size_t count;
	double divisor;
};
static const struct scale durations = {duration_bounds_us, TC_ARRAY_LENGTH(duration_bounds_us),
				       1e6};
static const struct scale batch_sizes = {batch_bounds, TC_ARRAY_LENGTH(batch_bounds), 1};

static struct {
	_Atomic uint64_t count[TC_ARRAY_LENGTH(statuses)];
	struct tc_histogram duration;
} requests[PROCEDURES_MAX];

static const char *procedure_names[PROCEDURES_MAX];
static unsigned procedures_count;

static struct {
	_Atomic(const char *) name; /* claimed by the first batch of that name */
	struct tc_histogram size;
} batchers[BATCHERS_MAX];

static void count_one(_Atomic uint64_t *counter, uint64_t amount)
{
	atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static uint64_t read_one(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(struct tc_histogram *histogram, const struct scale *scale, uint64_t value)
{
	size_t bucket = 0;

	while (bucket < scale->count && value > scale->bounds[bucket])
		bucket++;
	count_one(&histogram->buckets[bucket], 1);
	count_one(&histogram->sum, value);
}

void tc_metrics_set_procedures(const char *const *names, unsigned count)
{
	procedures_count = TC_MIN(count, (unsigned)UNMATCHED);
	for (unsigned i = 0; i < procedures_count; i++)
		procedure_names[i] = names[i];
}

void tc_metrics_request(unsigned procedure_index, unsigned status, uint64_t duration_us)
{
	unsigned row = procedure_index < procedures_count ? procedure_index : UNMATCHED;
	size_t column = 0;

	while (statuses[column] != status && statuses[column] != 0)
		column++;
	count_one(&requests[row].count[column], 1);
	observe(&requests[row].duration, &durations, duration_us);
}

void tc_metrics_batch(const char *batcher, unsigned size)
{
	for (size_t i = 0; i < BATCHERS_MAX; i++) {
		const char *name = NULL;

		/* Claims a free row; otherwise `name` is whose it is. */
		if (atomic_compare_exchange_strong(&batchers[i].name, &name, batcher) ||
		    strcmp(name, batcher) == 0) {
			observe(&batchers[i].size, &batch_sizes, size);
			return;
		}
	}
}

void tc_metrics_head(struct tc_buffer *out, const char *name, const char *type, const char *help)
{
	tc_buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void tc_metrics_sample(struct tc_buffer *out, const char *name, const char *labels, double value)
{
	if (labels && labels[0])
		tc_buffer_append_format(out, "%s{%s} %.17g\n", name, labels, value);
	else
		tc_buffer_append_format(out, "%s %.17g\n", name, value);
}

static double read_field(const struct tc_metric *row, const void *numbers)
{
	union {
		bool flag;
		unsigned number;
		uint64_t count;
	} field = {0};
	double value;

	assert(row->size <= sizeof(field));
	memcpy(&field, (const char *)numbers + row->offset, row->size);
	if (row->size == sizeof(field.flag))
		value = field.flag;
	else if (row->size == sizeof(field.number))
		value = field.number;
	else
		value = (double)field.count;
	return row->per_unit > 0 ? value / row->per_unit : value;
}

void tc_metrics_table(struct tc_buffer *out, const struct tc_metric *rows, size_t rows_count,
		      const struct tc_metric_source *sources, size_t sources_count)
{
	for (size_t i = 0; i < rows_count; i++) {
		const struct tc_metric *row = &rows[i];

		if (row->help)
			tc_metrics_head(out, row->name, row->type, row->help);
		for (size_t j = 0; j < sources_count; j++)
			tc_metrics_sample(out, row->name,
					  row->labels ? row->labels : sources[j].labels,
					  read_field(row, sources[j].numbers));
	}
}

static void format_histogram(struct tc_buffer *out, const char *name, const char *labels,
			     struct tc_histogram *histogram, const struct scale *scale)
{
	uint64_t count = 0;

	for (size_t i = 0; i < scale->count; i++) {
		count += read_one(&histogram->buckets[i]);
		tc_buffer_append_format(out, "%s_bucket{%s,le=\"%g\"} %llu\n", name, labels,
					(double)scale->bounds[i] / scale->divisor,
					(unsigned long long)count);
	}
	count += read_one(&histogram->buckets[scale->count]);
	tc_buffer_append_format(out, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels,
				(unsigned long long)count);
	tc_buffer_append_format(out, "%s_sum{%s} %.17g\n", name, labels,
				(double)read_one(&histogram->sum) / scale->divisor);
	tc_buffer_append_format(out, "%s_count{%s} %llu\n", name, labels,
				(unsigned long long)count);
}

/* Names are constants of ours: letters only, nothing to escape. NULL: an unused row. */
static const char *row_name(unsigned row)
{
	if (row == UNMATCHED)
		return "unmatched";
	return row < procedures_count ? procedure_names[row] : NULL;
}

static void format_requests(struct tc_buffer *out)
{
	char labels[160];

	tc_metrics_head(out, "tocsin_http_requests_total", "counter",
			"Requests answered, by procedure and status.");
	for (unsigned row = 0; row < PROCEDURES_MAX; row++) {
		for (size_t column = 0; row_name(row) && column < TC_ARRAY_LENGTH(statuses);
		     column++) {
			uint64_t count = read_one(&requests[row].count[column]);

			if (count == 0)
				continue;
			if (statuses[column])
				snprintf(labels, sizeof(labels), "procedure=\"%s\",status=\"%u\"",
					 row_name(row), statuses[column]);
			else
				snprintf(labels, sizeof(labels),
					 "procedure=\"%s\",status=\"other\"", row_name(row));
			tc_metrics_sample(out, "tocsin_http_requests_total", labels, (double)count);
		}
	}
	tc_metrics_head(out, "tocsin_http_request_duration_seconds", "histogram",
			"Time from a whole request to its answer, by procedure.");
	for (unsigned row = 0; row < PROCEDURES_MAX; row++) {
		if (!row_name(row))
			continue;
		snprintf(labels, sizeof(labels), "procedure=\"%s\"", row_name(row));
		format_histogram(out, "tocsin_http_request_duration_seconds", labels,
				 &requests[row].duration, &durations);
	}
}

void tc_metrics_format(struct tc_buffer *out)
{
	char labels[160];

	format_requests(out);
	tc_metrics_head(out, "tocsin_batch_size", "histogram",
			"Requests in one batch, by batcher.");
	for (size_t i = 0; i < BATCHERS_MAX; i++) {
		const char *name = atomic_load(&batchers[i].name);

		if (!name)
			continue;
		snprintf(labels, sizeof(labels), "batcher=\"%s\"", name);
		format_histogram(out, "tocsin_batch_size", labels, &batchers[i].size, &batch_sizes);
	}
}
