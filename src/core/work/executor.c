/* core/work/executor.c: see executor.h. One queue, one mutex. A thread is woken only for a job that there is room
 * for: a busy executor costs no wake-ups.
 *
 * A thread that runs jobs which go together is brisk, and in `brisk` (first come first), until it is seen to have
 * had them for `slow_us`; then it is slow. For such jobs there is room while fewer than `brisk_max` are brisk;
 * for others always. So the head of the queue is taken by a thread woken for it, by one that ends, or, where
 * the brisk became slow, by one that the next to come by wakes: a submit, a thread that ends, or the warden.
 *
 * The warden also expires what waited for too long. It sleeps while the queue is empty; whoever leaves a job
 * there that no thread was woken for wakes it. While all threads are busy it looks only at what is due: the first of
 * them that goes to sleep, and leaves a job there, wakes it, too. */
#include "core/work/executor.h"

#include "base/clock.h"
#include "base/thread.h"
#include <stdio.h>
#include <stdlib.h>

/* How often the warden looks whether the brisk became slow. */
#define RELIEF_MS 1u

struct worker {
	struct tc_executor *executor;
	struct tc_list node; /* in `brisk`, if brisk */
	uint64_t started_us; /* what it runs */
	pthread_t thread;
};

struct tc_executor {
	pthread_mutex_t mutex;
	pthread_cond_t work, oldest;
	struct tc_list queue, brisk;
	unsigned queue_max, brisk_count;
	unsigned sleeping, woken; /* threads; of those, how many are woken, but not up yet */
	struct tc_executor_stats stats;
	bool closing, is_warden_idle, has_warden;
	bool is_warden_blind; /* no thread slept when it chose when to look again */
	struct tc_executor_watch watch;
	pthread_t warden;
	unsigned workers_max, workers_count; /* wanted; started */
	struct worker workers[];
};

static unsigned subtract(unsigned a, unsigned b)
{
	return a > b ? a - b : 0;
}

static struct tc_job *first_job(const struct tc_executor *executor)
{
	if (tc_list_is_empty(&executor->queue))
		return NULL;
	return tc_list_entry(executor->queue.next, struct tc_job, node);
}

/* --- the brisk --- */

static void enter_brisk(struct worker *worker, uint64_t now_us)
{
	worker->started_us = now_us;
	tc_list_push_back(&worker->executor->brisk, &worker->node);
	worker->executor->brisk_count++;
}

static void leave_brisk(struct worker *worker)
{
	if (tc_list_is_empty(&worker->node))
		return;
	tc_list_remove(&worker->node);
	worker->executor->brisk_count--;
}

/* Whether one more thread may take this job, the first. A closing executor has no use for rest. */
static bool has_room(struct tc_executor *executor, const struct tc_job *job, uint64_t now_us)
{
	tc_list_each (node, &executor->brisk) {
		struct worker *worker = tc_list_entry(node, struct worker, node);

		if (now_us < worker->started_us + executor->watch.slow_us)
			break;
		leave_brisk(worker);
	}
	return !job->run_many || executor->closing ||
	       executor->brisk_count < executor->watch.brisk_max;
}

/* --- waking --- */

/* Whom to wake, once the mutex is free: whoever is woken wants it first thing. */
struct wakes {
	bool thread, warden;
};

/* One thread, if there is room for the first job and nobody comes for it yet; else the warden. */
static struct wakes choose_wakes(struct tc_executor *executor, uint64_t now_us)
{
	const struct tc_job *job = first_job(executor);
	struct wakes wakes = {0};

	if (!job || executor->stats.queued <= executor->woken)
		return wakes;
	wakes.thread = executor->sleeping > executor->woken && has_room(executor, job, now_us);
	wakes.warden = !wakes.thread && (executor->is_warden_idle ||
					 (executor->is_warden_blind && executor->sleeping > 0));
	executor->woken += wakes.thread;
	executor->is_warden_idle &= !wakes.warden;
	executor->is_warden_blind &= !wakes.warden;
	return wakes;
}

static void wake(struct tc_executor *executor, struct wakes wakes)
{
	if (wakes.thread)
		pthread_cond_signal(&executor->work);
	if (wakes.warden)
		pthread_cond_signal(&executor->oldest);
}

/* --- threads --- */

static void sleep_on_work(struct tc_executor *executor, uint64_t now_us)
{
	executor->sleeping++;
	wake(executor, choose_wakes(executor, now_us));
	tc_cond_wait(&executor->work, &executor->mutex);
	executor->sleeping--;
	executor->woken = subtract(executor->woken, 1);
}

/* The first job and those that go with it, as many as are one thread's share. */
static unsigned take(struct tc_executor *executor, struct tc_job *job,
		     struct tc_job *ret_jobs[static TC_EXECUTOR_GATHER_MAX])
{
	unsigned share = 1 + executor->stats.queued / executor->workers_max, count = 0;

	do {
		tc_list_remove(&job->node);
		ret_jobs[count++] = job;
		job = first_job(executor);
	} while (job && job->run_many && job->run_many == ret_jobs[0]->run_many && count < share &&
		 count < TC_EXECUTOR_GATHER_MAX);
	executor->stats.queued -= count;
	executor->stats.jobs += count;
	executor->stats.rounds++;
	return count;
}

/* The next jobs; 0 when the executor closes and nothing is left. */
static unsigned next_jobs(struct worker *worker,
			  struct tc_job *ret_jobs[static TC_EXECUTOR_GATHER_MAX],
			  struct wakes *ret_wakes)
{
	struct tc_executor *executor = worker->executor;
	struct tc_job *job;
	uint64_t now_us;
	unsigned count;

	TC_LOCKED(&executor->mutex);
	leave_brisk(worker);
	for (;;) {
		job = first_job(executor);
		if (!job && executor->closing)
			return 0;
		now_us = tc_clock_us();
		if (job && has_room(executor, job, now_us))
			break;
		sleep_on_work(executor, now_us);
	}
	if (job->run_many)
		enter_brisk(worker, now_us);
	count = take(executor, job, ret_jobs);
	*ret_wakes = choose_wakes(executor, now_us);
	return count;
}

static void *run_jobs(void *argument)
{
	struct worker *worker = argument;
	struct tc_job *jobs[TC_EXECUTOR_GATHER_MAX];
	struct wakes wakes;
	unsigned count;

	while ((count = next_jobs(worker, jobs, &wakes)) > 0) {
		wake(worker->executor, wakes);
		if (count > 1)
			jobs[0]->run_many(jobs, count);
		else
			jobs[0]->run(jobs[0]);
	}
	return NULL;
}

/* --- the warden --- */

/* When it must look again, with a job in the queue that is due then. */
static uint64_t next_look_ms(const struct tc_executor *executor, uint64_t due_ms, uint64_t now_ms)
{
	return executor->sleeping > 0 ? TC_MIN(due_ms, now_ms + RELIEF_MS) : due_ms;
}

/* The next job that waited for too long; NULL when the executor closes. */
static struct tc_job *next_overdue(struct tc_executor *executor)
{
	TC_LOCKED(&executor->mutex);

	while (!executor->closing) {
		struct tc_job *job = first_job(executor);
		uint64_t now_us = tc_clock_us(), due_ms;

		if (!job) {
			executor->is_warden_idle = true;
			tc_cond_wait(&executor->oldest, &executor->mutex);
			executor->is_warden_idle = false;
			continue;
		}
		due_ms = job->queued_ms + executor->watch.wait_max_ms;
		if (now_us / 1000 >= due_ms) {
			tc_list_remove(&job->node);
			executor->stats.queued--;
			return job;
		}
		wake(executor, choose_wakes(executor, now_us));
		executor->is_warden_blind = executor->sleeping == 0;
		tc_cond_wait_until(&executor->oldest, &executor->mutex,
				   next_look_ms(executor, due_ms, now_us / 1000));
		executor->is_warden_blind = false;
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

int tc_executor_watch(struct tc_executor *executor, const struct tc_executor_watch *watch,
		      struct tocsin_error *error)
{
	int result;

	executor->watch = *watch;
	result = tc_thread_start(&executor->warden, "warden", expire_jobs, executor, error);
	executor->has_warden = result == TOCSIN_OK;
	return result;
}

/* --- making and freeing --- */

int tc_executor_new(struct tc_executor **ret_executor, const char *name, unsigned threads,
		    unsigned queue_max, struct tocsin_error *error)
{
	struct tc_executor *executor;
	int result = TOCSIN_OK;

	if (threads == 0 || queue_max == 0)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"executor %s needs at least one thread and one place to queue", name);
	executor = calloc(1, sizeof(*executor) + threads * sizeof(executor->workers[0]));
	if (!executor)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	tc_mutex_init(&executor->mutex);
	tc_cond_init(&executor->work);
	tc_cond_init(&executor->oldest);
	tc_list_init(&executor->queue);
	tc_list_init(&executor->brisk);
	executor->queue_max = queue_max;
	executor->workers_max = threads;
	executor->watch.brisk_max = threads;
	for (unsigned i = 0; i < threads && result == TOCSIN_OK; i++) {
		struct worker *worker = &executor->workers[i];
		char thread_name[16];

		worker->executor = executor;
		tc_list_init(&worker->node);
		snprintf(thread_name, sizeof(thread_name), "%.12s-%u", name, i % 100);
		result = tc_thread_start(&worker->thread, thread_name, run_jobs, worker, error);
		if (result == TOCSIN_OK)
			executor->workers_count++;
	}
	if (result) {
		tc_executor_free(executor);
		return result;
	}
	*ret_executor = executor;
	return TOCSIN_OK;
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
	for (unsigned i = 0; i < executor->workers_count; i++)
		pthread_join(executor->workers[i].thread, NULL);
	executor->workers_count = 0;
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

/* --- submitting --- */

static int enqueue(struct tc_executor *executor, struct tc_job *job, struct wakes *ret_wakes)
{
	uint64_t now_us = tc_clock_us();

	TC_LOCKED(&executor->mutex);
	if (executor->closing)
		return TOCSIN_E_CLOSED;
	if (executor->stats.queued >= executor->queue_max)
		return TOCSIN_E_FULL;
	job->queued_ms = now_us / 1000;
	tc_list_push_back(&executor->queue, &job->node);
	executor->stats.queued++;
	*ret_wakes = choose_wakes(executor, now_us);
	return TOCSIN_OK;
}

int tc_executor_submit(struct tc_executor *executor, struct tc_job *job)
{
	struct wakes wakes;
	int result = enqueue(executor, job, &wakes);

	if (result == TOCSIN_OK)
		wake(executor, wakes);
	return result;
}

void tc_executor_get_stats(struct tc_executor *executor, struct tc_executor_stats *ret_stats)
{
	TC_LOCKED(&executor->mutex);

	*ret_stats = executor->stats;
}
