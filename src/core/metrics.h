/* core/metrics.h: counters, gauges and histograms in Prometheus text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
 *
 * Values the process counts itself live in static tables here; values others own (pool states, queue
 * depths, outbox lag) are written by collectors when a scrape asks. Thread-safe, lock-free updates. */
#pragma once

#include "base/buffer.h"
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

/* All that this file counts itself. */
void tc_metrics_format(struct tc_buffer *out);
