/* core/procedure/read.h: reads of one thing by its key, several in one round trip.
 *
 * A thread, a connection and a way there and back for each such read cost more than the read itself. So those that wait
 * behind each other on the work executor are run by one thread, on one connection, as one pipeline (libpq,
 * "Pipeline Mode"), which each leaves with an answer of its own. What is heavier than that has a handler of its own: in
 * a pipeline others wait for it. */
#pragma once

#include "core/work/executor.h"
#include "pg/query.h"

#define TC_READ_PARAMETERS_MAX 4u

struct tc_call;

/* What such a row of the procedure table has in place of `run`. */
struct tc_read {
	const struct tc_sql *sql; /* at most one row, with the document in its first column */
	/* Fills in the parameters of `sql`, borrowed from the call. */
	void (*fill)(const struct tc_call *call, const char **ret_values);
	/* There is no row: says what there is not. Returns NOT_FOUND. */
	int (*miss)(const struct tc_call *call, struct tocsin_error *error);
};

/* Reads and answers. Threads: any that may wait for a connection of the work pool, or is joined to one
 * (core/procedure/idempotency.h); blocks for it and for the answer. */
void tc_read_run(struct tc_call *call);
/* The `run_many` of such calls' jobs. A lost connection costs all of them a second try on another. Where a statement
 * fails, each goes its own way, back into the queue, and fails alone (docs/architecture.md has the bounds). */
void tc_read_run_many(struct tc_job *const *jobs, unsigned count);
