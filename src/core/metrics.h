/* core/metrics.h: counters, gauges and histograms in Prometheus text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
 *
 * Values the process counts itself live in static tables here; values others own (pool states, queue
 * depths, outbox lag) are written by collectors when a scrape asks. Thread-safe, lock-free updates. */
#pragma once

#include "base/buffer.h"
#include <stddef.h>
#include <stdint.h>

struct tc_histogram; /* fixed buckets in microseconds, exposed in seconds */

/* One request answered. An index that names no procedure counts as "unmatched". */
void tc_metrics_request(unsigned procedure_index, unsigned status, uint64_t duration_us);
/* Names the procedures, once at start-up, before requests. */
void tc_metrics_set_procedures(const char *const *names, unsigned count);

/* One batch sent to the database with `size` requests in it. */
void tc_metrics_batch(const char *batcher, unsigned size);

/* Helpers for collectors: a HELP and TYPE line, then samples; `labels` is e.g. pool="work" or NULL. */
void tc_metrics_head(struct tc_buffer *out, const char *name, const char *type, const char *help);
void tc_metrics_sample(struct tc_buffer *out, const char *name, const char *labels, double value);

/* A row of a table that says what of a struct is shown: a field that is an unsigned number or a bool, or signed and never
 * negative. */
struct tc_metric {
	const char *name, *type;
	const char *help; /* NULL: another sample of the row before, which has the same name */
	size_t offset, size;
	const char *labels; /* NULL: none, or those of the source */
	double per_unit;    /* of the field, in one unit of what is shown; 0: 1 */
};
#define TC_METRIC(structure, field)                                                                \
	.offset = offsetof(structure, field), .size = sizeof(((structure *)0)->field)

/* One of several structs that a table shows side by side. */
struct tc_metric_source {
	const void *numbers; /* borrowed */
	const char *labels;  /* NULL: none */
};

/* Each row, with a sample of each source. */
void tc_metrics_table(struct tc_buffer *out, const struct tc_metric *rows, size_t rows_count,
		      const struct tc_metric_source *sources, size_t sources_count);

/* All that this file counts itself. */
void tc_metrics_format(struct tc_buffer *out);
