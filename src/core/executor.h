/* core/executor.h: bulkheads: a bounded queue and a fixed number of threads. A full queue is refused
 * at once (TOCSIN_E_FULL), never waited for; and where a bound is set, no job waits in it for longer.
 * Jobs that wait can be run together, where together they cost less. */
#pragma once

#include "base/list.h"
#include <stdint.h>
#include <tocsin/error.h>

struct tc_executor;

/* Embedded in what it runs; owned by the submitter until `run` is called, on a thread of the executor;
 * or `expire` instead, on another one, when it waited for too long: it must be quick. */
struct tc_job {
	struct tc_list node;
	void (*run)(struct tc_job *job);
	void (*expire)(struct tc_job *job); /* needed where a bound is set */
	uint64_t queued_ms;                 /* the executor's */
};

#define TC_EXECUTOR_GATHER_MAX 16u

/* Owns the jobs, as each one's `run` would. */
typedef void (*tc_run_many_fn)(struct tc_job *const *jobs, unsigned count);

struct tc_executor_stats {
	unsigned queued;
	uint64_t jobs, rounds; /* taken by threads, and how often threads took some */
};

/* `name` (at most 12 bytes) names the threads. */
int tc_executor_new(struct tc_executor **ret_executor, const char *name, unsigned threads,
		    unsigned queue_max, struct tocsin_error *error);
/* From now on a job that waited for `wait_max_ms` (> 0) expires: threads that are stuck must not hold up
 * what waits behind them without end. Once, before the first job. */
int tc_executor_bound_wait(struct tc_executor *executor, unsigned wait_max_ms,
			   struct tocsin_error *error);
/* From now on a thread takes all jobs that wait, `max` (up to TC_EXECUTOR_GATHER_MAX) at most, and hands them to
 * `run_many` instead of each to its `run`. Once, before the first job. */
void tc_executor_gather(struct tc_executor *executor, unsigned max, tc_run_many_fn run_many);
/* Runs what is queued, and joins the threads. Submit answers CLOSED from now on, until it is freed: for those who
 * may still hand something over. Harmless twice; NULL allowed. */
void tc_executor_stop(struct tc_executor *executor);
/* Stops, and frees, when nobody submits any more. NULL allowed, returns NULL. */
struct tc_executor *tc_executor_free(struct tc_executor *executor);
/* TOCSIN_OK, FULL, or CLOSED. Does not block. */
int tc_executor_submit(struct tc_executor *executor, struct tc_job *job);
void tc_executor_get_stats(struct tc_executor *executor, struct tc_executor_stats *ret_stats);
