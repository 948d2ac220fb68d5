/* core/executor.c: see executor.h. One queue, one mutex. A job is signalled only where a thread sleeps:
 * a busy executor costs no wake-ups. The warden expires what waited for too long. It sleeps until the
 * oldest job it saw would be due, whether or not that is run meanwhile: so it is woken by a submit
 * only where it saw an empty queue, at most once in wait_max_ms. */
#include "core/executor.h"

#include "base/clock.h"
#include "base/thread.h"
#include <stdio.h>
#include <stdlib.h>

struct tc_executor {
	pthread_mutex_t mutex;
	pthread_cond_t work, oldest;
	struct tc_list queue;
	unsigned queue_max, sleeping, gather_max;
	tc_run_many_fn run_many; /* NULL: each job runs by itself */
	struct tc_executor_stats stats;
	bool closing, is_warden_idle, has_warden;
	unsigned wait_max_ms; /* 0: no bound */
	pthread_t warden;
	unsigned threads_count; /* started */
	pthread_t threads[];
};

/* The next jobs; 0 when the executor closes and nothing is left. */
static unsigned next_jobs(struct tc_executor *executor,
			  struct tc_job *ret_jobs[static TC_EXECUTOR_GATHER_MAX])
{
	TC_LOCKED(&executor->mutex);
	struct tc_list *node;
	unsigned count = 0;

	while (tc_list_is_empty(&executor->queue)) {
		if (executor->closing)
			return 0;
		executor->sleeping++;
		tc_cond_wait(&executor->work, &executor->mutex);
		executor->sleeping--;
	}
	while (count < executor->gather_max && (node = tc_list_pop_front(&executor->queue)))
		ret_jobs[count++] = tc_list_entry(node, struct tc_job, node);
	executor->stats.queued -= count;
	executor->stats.jobs += count;
	executor->stats.rounds++;
	return count;
}

static void *run_jobs(void *argument)
{
	struct tc_executor *executor = argument;
	struct tc_job *jobs[TC_EXECUTOR_GATHER_MAX];
	unsigned count;

	while ((count = next_jobs(executor, jobs)) > 0) {
		if (executor->run_many)
			executor->run_many(jobs, count);
		else
			jobs[0]->run(jobs[0]);
	}
	return NULL;
}

/* The next job that waited for too long; NULL when the executor closes. */
static struct tc_job *next_overdue(struct tc_executor *executor)
{
	TC_LOCKED(&executor->mutex);

	while (!executor->closing) {
		struct tc_job *job = tc_list_entry(executor->queue.next, struct tc_job, node);

		if (tc_list_is_empty(&executor->queue)) {
			executor->is_warden_idle = true;
			tc_cond_wait(&executor->oldest, &executor->mutex);
			executor->is_warden_idle = false;
		} else if (tc_clock_ms() >= job->queued_ms + executor->wait_max_ms) {
			tc_list_remove(&job->node);
			executor->stats.queued--;
			return job;
		} else {
			tc_cond_wait_until(&executor->oldest, &executor->mutex,
					   job->queued_ms + executor->wait_max_ms);
		}
	}
	return NULL;
}

static void *expire_jobs(void *argument)
{
	struct tc_executor *executor = argument;
	struct tc_job *job;

	while ((job = next_overdue(executor)))
		job->expire(job);
	return NULL;
}

int tc_executor_new(struct tc_executor **ret_executor, const char *name, unsigned threads,
		    unsigned queue_max, struct tocsin_error *error)
{
	struct tc_executor *executor;
	int result = TOCSIN_OK;

	if (threads == 0 || queue_max == 0)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"executor %s needs at least one thread and one place to queue", name);
	executor = calloc(1, sizeof(*executor) + threads * sizeof(executor->threads[0]));
	if (!executor)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	tc_mutex_init(&executor->mutex);
	tc_cond_init(&executor->work);
	tc_cond_init(&executor->oldest);
	tc_list_init(&executor->queue);
	executor->queue_max = queue_max;
	executor->gather_max = 1;
	for (unsigned i = 0; i < threads && result == TOCSIN_OK; i++) {
		char thread_name[16];

		snprintf(thread_name, sizeof(thread_name), "%.12s-%u", name, i % 100);
		result = tc_thread_start(&executor->threads[i], thread_name, run_jobs, executor,
					 error);
		if (result == TOCSIN_OK)
			executor->threads_count++;
	}
	if (result) {
		tc_executor_free(executor);
		return result;
	}
	*ret_executor = executor;
	return TOCSIN_OK;
}

int tc_executor_bound_wait(struct tc_executor *executor, unsigned wait_max_ms,
			   struct tocsin_error *error)
{
	int result;

	executor->wait_max_ms = wait_max_ms;
	result = tc_thread_start(&executor->warden, "warden", expire_jobs, executor, error);
	executor->has_warden = result == TOCSIN_OK;
	return result;
}

void tc_executor_gather(struct tc_executor *executor, unsigned max, tc_run_many_fn run_many)
{
	TC_LOCKED(&executor->mutex); /* the threads look already */
	executor->gather_max = TC_MIN(max, TC_EXECUTOR_GATHER_MAX);
	executor->run_many = run_many;
}

void tc_executor_stop(struct tc_executor *executor)
{
	if (!executor)
		return;
	tc_mutex_lock(&executor->mutex);
	executor->closing = true;
	pthread_cond_broadcast(&executor->work);
	pthread_cond_signal(&executor->oldest);
	tc_mutex_unlock(&executor->mutex);
	for (unsigned i = 0; i < executor->threads_count; i++)
		pthread_join(executor->threads[i], NULL);
	executor->threads_count = 0;
	if (executor->has_warden)
		pthread_join(executor->warden, NULL);
	executor->has_warden = false;
}

struct tc_executor *tc_executor_free(struct tc_executor *executor)
{
	if (!executor)
		return NULL;
	tc_executor_stop(executor);
	pthread_cond_destroy(&executor->work);
	pthread_cond_destroy(&executor->oldest);
	pthread_mutex_destroy(&executor->mutex);
	free(executor);
	return NULL;
}

/* Whom to wake. */
struct wakes {
	bool thread, warden;
};

static int enqueue(struct tc_executor *executor, struct tc_job *job, struct wakes *ret_wakes)
{
	TC_LOCKED(&executor->mutex);

	if (executor->closing)
		return TOCSIN_E_CLOSED;
	if (executor->stats.queued >= executor->queue_max)
		return TOCSIN_E_FULL;
	job->queued_ms = tc_clock_ms();
	tc_list_push_back(&executor->queue, &job->node);
	executor->stats.queued++;
	*ret_wakes = (struct wakes){executor->sleeping > 0, executor->is_warden_idle};
	return TOCSIN_OK;
}

/* Whoever is woken wants the mutex first thing: woken while it is held, he would sleep again at once. */
int tc_executor_submit(struct tc_executor *executor, struct tc_job *job)
{
	struct wakes wakes;
	int result = enqueue(executor, job, &wakes);

	if (result)
		return result;
	if (wakes.thread)
		pthread_cond_signal(&executor->work);
	if (wakes.warden)
		pthread_cond_signal(&executor->oldest);
	return TOCSIN_OK;
}

void tc_executor_get_stats(struct tc_executor *executor, struct tc_executor_stats *ret_stats)
{
	TC_LOCKED(&executor->mutex);

	*ret_stats = executor->stats;
}
