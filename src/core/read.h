/* core/read.h: reads of one thing by its key, several in one round trip.
 *
 * A thread and a connection of its own for each such read cost more in switches, and over a network in ways
 * there and back, than the read itself. So they have an executor of their own with few threads
 * (tc_read_threads): each takes what has come by then, TC_READ_MAX at most, and runs it on one connection as
 * one pipeline (libpq, "Pipeline Mode"). What is heavier belongs on the work executor: behind it, here, others
 * would wait. */
#pragma once

#include "core/executor.h"
#include "pg/query.h"

#define TC_READ_MAX            TC_PIPELINE_MAX
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

/* Reads and answers. Threads: any that holds no connection of the work pool; blocks for one and for the answer. */
void tc_read_run(struct tc_call *call);
/* The same for calls that wait in an executor (tc_executor_gather), all of rows with a `read`. One whose statement
 * fails costs the others a second try, each alone; a lost connection all of them one on another. */
void tc_read_run_many(struct tc_job *const *jobs, unsigned count);
/* How many threads such an executor has with a work pool of so many connections. */
unsigned tc_read_threads(unsigned pool_max);
