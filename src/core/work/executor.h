/* core/work/executor.h: bulkheads: a bounded queue and a fixed number of threads. A full queue is refused
 * at once (TOCSIN_E_FULL), never waited for; and where it is watched, no job waits in it for longer than
 * a bound.
 *
 * Jobs that wait behind each other can go together, where together they cost less: then a thread takes its share of
 * the queue. For this some must wait: no more threads than the cores have use for start on such jobs at once. But a
 * thread that has had them for a while is taken to wait for somebody rather than to work: it is slow, and
 * another one may start, up to all. (So Go's scheduler treats threads in system calls: its "sysmon" gives their
 * processor to others.) */
#pragma once

#include "base/list.h"
#include <stdint.h>
#include <tocsin/error.h>

struct tc_executor;

struct tc_job;

/* Owns the jobs, as each one's `run` would. */
typedef void (*tc_run_many_fn)(struct tc_job *const *jobs, unsigned count);

#define TC_EXECUTOR_GATHER_MAX 16u

/* Embedded in what it runs; owned by the submitter until `run` is called, on a thread of the executor;
 * or `expire` instead, on another one, when it waited for too long: it must be quick. */
struct tc_job {
	struct tc_list node;
	void (*run)(struct tc_job *job);
	void (*expire)(struct tc_job *job); /* needed where it is watched */
	/* NULL: runs by itself. Else a thread may take several that wait behind each other and have the same here: it
	 * takes its share of the queue, so that no job waits for another while a thread has nothing to do, and
	 * TC_EXECUTOR_GATHER_MAX at most. One alone gets `run`. */
	tc_run_many_fn run_many;
	uint64_t queued_ms; /* the executor's */
};

/* All are needed. */
struct tc_executor_watch {
	unsigned wait_max_ms; /* how long a job may wait in the queue */
	unsigned brisk_max;   /* threads that run jobs which go together, and are not slow */
	unsigned slow_us;     /* how long a thread has them before it is slow */
};

struct tc_executor_stats {
	unsigned queued;
	uint64_t jobs, rounds; /* taken by threads, and how often threads took some */
};

/* `name` (at most 12 bytes) names the threads. */
int tc_executor_new(struct tc_executor **ret_executor, const char *name, unsigned threads,
		    unsigned queue_max, struct tocsin_error *error);
/* From now on a job that waited for `wait_max_ms` expires: threads that are stuck must not hold up what waits
 * behind them without end. And of the threads that run jobs which go together, at most `brisk_max` have
 * had them for less than `slow_us`. Once, before the first job. */
int tc_executor_watch(struct tc_executor *executor, const struct tc_executor_watch *watch,
		      struct tocsin_error *error);
/* Runs what is queued, and joins the threads. Submit answers CLOSED from now on, until it is freed: for those who
 * may still hand something over. Harmless twice; NULL allowed. */
void tc_executor_stop(struct tc_executor *executor);
/* Stops, and frees, when nobody submits any more. NULL allowed, returns NULL. */
struct tc_executor *tc_executor_free(struct tc_executor *executor);
/* TOCSIN_OK, FULL, or CLOSED. Does not block. */
int tc_executor_submit(struct tc_executor *executor, struct tc_job *job);
void tc_executor_get_stats(struct tc_executor *executor, struct tc_executor_stats *ret_stats);
