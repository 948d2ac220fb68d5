/* Tests of core/work/executor.h. */
#include "unit.h"

#include "base/thread.h"
#include "core/work/executor.h"
#include <sched.h>
#include <stdatomic.h>

#define NEVER_MS 3600000u

/* Nothing becomes slow, nothing expires. */
static const struct tc_executor_watch never_slow = {
	.wait_max_ms = NEVER_MS, .brisk_max = 2, .slow_us = NEVER_MS * 1000};

struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool open;
	unsigned entered;
};

struct task {
	struct tc_job job;
	struct gate *gate; /* waits there; NULL: does not */
	atomic_uint *done;
};

static void gate_init(struct gate *gate)
{
	*gate = (struct gate){0};
	tc_mutex_init(&gate->mutex);
	tc_cond_init(&gate->changed);
}

static void gate_open(struct gate *gate)
{
	TC_LOCKED(&gate->mutex);

	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
}

static void gate_pass(struct gate *gate)
{
	TC_LOCKED(&gate->mutex);

	gate->entered++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		tc_cond_wait(&gate->changed, &gate->mutex);
}

static void gate_await(struct gate *gate, unsigned entered)
{
	TC_LOCKED(&gate->mutex);

	while (gate->entered < entered)
		tc_cond_wait(&gate->changed, &gate->mutex);
}

static void gate_await_open(struct gate *gate)
{
	TC_LOCKED(&gate->mutex);

	while (!gate->open)
		tc_cond_wait(&gate->changed, &gate->mutex);
}

static void run_task(struct tc_job *job)
{
	struct task *task = tc_container_of(job, struct task, job);

	if (task->gate)
		gate_pass(task->gate);
	atomic_fetch_add(task->done, 1);
}

/* Two threads busy, three places: the sixth is refused at once, and a free runs all that was taken.
 * Seen to fail (the sixth taken) with the test of `queued` removed from submit. */
static void test_full_then_drain(void **state)
{
	struct tc_executor *executor = NULL;
	struct tc_executor_stats stats;
	struct task tasks[6];
	struct gate gate;
	atomic_uint done = 0;

	(void)state;
	gate_init(&gate);
	for (unsigned i = 0; i < 6; i++)
		tasks[i] = (struct task){.job.run = run_task, .gate = &gate, .done = &done};
	assert_int_equal(tc_executor_new(&executor, "test", 2, 3, NULL), TOCSIN_OK);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(tc_executor_submit(executor, &tasks[i].job), TOCSIN_OK);
	gate_await(&gate, 2);
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(tc_executor_submit(executor, &tasks[i].job), TOCSIN_OK);
	tc_executor_get_stats(executor, &stats);
	assert_int_equal(stats.queued, 3);
	assert_int_equal(tc_executor_submit(executor, &tasks[5].job), TOCSIN_E_FULL);
	gate_open(&gate);
	assert_null(tc_executor_free(executor));
	assert_int_equal(done, 5);
}

struct chain {
	struct tc_job job;
	struct tc_executor *executor;
	struct gate *gate;
	int result;
};

static void run_chain(struct tc_job *job)
{
	struct chain *chain = tc_container_of(job, struct chain, job);

	gate_pass(chain->gate);
	chain->result = tc_executor_submit(chain->executor, job);
}

static void *free_executor(void *argument)
{
	tc_executor_free(argument);
	return NULL;
}

/* A job that comes back for ever meets CLOSED once the executor is being freed, and ends. */
static void test_closed(void **state)
{
	struct tc_executor *executor = NULL;
	struct gate gate;
	struct chain chain = {.job.run = run_chain, .gate = &gate};
	pthread_t freeing;

	(void)state;
	gate_init(&gate);
	assert_int_equal(tc_executor_new(&executor, "test", 1, 1, NULL), TOCSIN_OK);
	chain.executor = executor;
	assert_int_equal(tc_executor_submit(executor, &chain.job), TOCSIN_OK);
	gate_await(&gate, 1);
	gate_open(&gate);
	assert_int_equal(tc_thread_start(&freeing, "free", free_executor, executor, NULL),
			 TOCSIN_OK);
	pthread_join(freeing, NULL);
	assert_int_equal(chain.result, TOCSIN_E_CLOSED);
}

struct patient {
	struct task task;
	struct tc_executor *executor;
};

static void expire_into_gate(struct tc_job *job)
{
	gate_open(tc_container_of(job, struct task, job)->gate);
}

/* Its thread was not quick enough to take it: once more. */
static void expire_again(struct tc_job *job)
{
	struct patient *patient = tc_container_of(job, struct patient, task.job);

	assert_int_equal(tc_executor_submit(patient->executor, job), TOCSIN_OK);
}

/* The only thread waits for the job behind it in the queue to expire. Seen to fail (it waits for ever)
 * without the warden. */
static void test_a_stuck_thread_does_not_hold_up_the_queue(void **state)
{
	struct tc_executor *executor = NULL;
	const struct tc_executor_watch watch = {.wait_max_ms = 1, .brisk_max = 1, .slow_us = 500};
	struct gate gate;
	atomic_uint done = 0;
	struct patient stuck = {.task = {.job = {.run = run_task, .expire = expire_again},
					 .gate = &gate,
					 .done = &done}};
	struct task late = {
		.job = {.run = run_task, .expire = expire_into_gate}, .gate = &gate, .done = &done};

	(void)state;
	gate_init(&gate);
	assert_int_equal(tc_executor_new(&executor, "test", 1, 2, NULL), TOCSIN_OK);
	assert_int_equal(tc_executor_watch(executor, &watch, NULL), TOCSIN_OK);
	stuck.executor = executor;
	assert_int_equal(tc_executor_submit(executor, &stuck.task.job), TOCSIN_OK);
	gate_await(&gate, 1);
	assert_int_equal(tc_executor_submit(executor, &late.job), TOCSIN_OK);
	gate_await_open(&gate);
	tc_executor_free(executor);
	assert_int_equal(done, 1);
}

/* Stopped, it has run what it had, and answers those who come late until it is freed. */
static void test_stopped_is_still_there(void **state)
{
	struct tc_executor *executor = NULL;
	struct task tasks[2];
	atomic_uint done = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		tasks[i] = (struct task){.job.run = run_task, .done = &done};
	assert_int_equal(tc_executor_new(&executor, "test", 1, 2, NULL), TOCSIN_OK);
	assert_int_equal(tc_executor_submit(executor, &tasks[0].job), TOCSIN_OK);
	tc_executor_stop(executor);
	assert_int_equal(done, 1);
	assert_int_equal(tc_executor_submit(executor, &tasks[1].job), TOCSIN_E_CLOSED);
	tc_executor_stop(executor);
	assert_null(tc_executor_free(executor));
	assert_int_equal(done, 1);
	tc_executor_stop(NULL);
}

static void test_many(void **state)
{
	enum { COUNT = 10000 };
	static struct task tasks[COUNT];
	struct tc_executor *executor = NULL;
	atomic_uint done = 0;

	(void)state;
	assert_int_equal(tc_executor_new(&executor, "test", 4, COUNT, NULL), TOCSIN_OK);
	for (unsigned i = 0; i < COUNT; i++) {
		tasks[i] = (struct task){.job.run = run_task, .done = &done};
		assert_int_equal(tc_executor_submit(executor, &tasks[i].job), TOCSIN_OK);
	}
	tc_executor_free(executor);
	assert_int_equal(done, COUNT);
}

static unsigned rounds[8], rounds_count;

static void run_together(struct tc_job *const *jobs, unsigned count)
{
	rounds[rounds_count++] = count;
	for (unsigned i = 0; i < count; i++)
		jobs[i]->run(jobs[i]);
}

/* What came while the only thread was busy it takes at once, up to the bound and up to a job that goes alone.
 * Seen to fail (one job a round) with a share of 1. */
static void test_jobs_that_wait_go_together(void **state)
{
	enum { REST = 4, ALONE = 1 + TC_EXECUTOR_GATHER_MAX + REST, COUNT = ALONE + 1 + 2 };
	struct tc_executor *executor = NULL;
	struct tc_executor_stats stats;
	struct task tasks[COUNT];
	struct gate gate;
	atomic_uint done = 0;

	(void)state;
	gate_init(&gate);
	assert_int_equal(tc_executor_new(&executor, "test", 1, COUNT, NULL), TOCSIN_OK);
	for (unsigned i = 0; i < COUNT; i++) {
		tasks[i] = (struct task){.job = {.run = run_task, .run_many = run_together},
					 .gate = &gate,
					 .done = &done};
		if (i == ALONE)
			tasks[i].job.run_many = NULL;
		assert_int_equal(tc_executor_submit(executor, &tasks[i].job), TOCSIN_OK);
		if (i == 0)
			gate_await(&gate, 1);
	}
	gate_open(&gate);
	tc_executor_stop(executor);
	tc_executor_get_stats(executor, &stats);
	assert_null(tc_executor_free(executor));
	assert_int_equal(done, COUNT);
	assert_int_equal(rounds_count, 3);
	assert_int_equal(rounds[0], TC_EXECUTOR_GATHER_MAX);
	assert_int_equal(rounds[1], REST);
	assert_int_equal(rounds[2], 2);
	assert_int_equal(stats.jobs, COUNT);
	assert_int_equal(stats.rounds, 2 + rounds_count);
	assert_int_equal(stats.queued, 0);
}

enum { QUICK = 2000 };

struct quick {
	struct tc_job job;
	atomic_uint *running, *most;
};

static void run_quick(struct tc_job *job)
{
	struct quick *quick = tc_container_of(job, struct quick, job);
	unsigned running = atomic_fetch_add(quick->running, 1) + 1;
	unsigned most = atomic_load(quick->most);

	while (running > most && !atomic_compare_exchange_weak(quick->most, &most, running))
		;
	sched_yield();
	atomic_fetch_sub(quick->running, 1);
}

static void run_each(struct tc_job *const *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		jobs[i]->run(jobs[i]);
}

/* Eight threads, of which two run at a time, as nothing becomes slow: all jobs are run nonetheless. Seen to
 * fail (three to eight at a time) with has_room always true. */
static void test_quick_jobs_wake_few_threads(void **state)
{
	static struct quick jobs[QUICK];
	struct tc_executor *executor = NULL;
	struct tc_executor_stats stats;
	atomic_uint running = 0, most = 0;

	(void)state;
	assert_int_equal(tc_executor_new(&executor, "test", 8, QUICK, NULL), TOCSIN_OK);
	assert_int_equal(tc_executor_watch(executor, &never_slow, NULL), TOCSIN_OK);
	for (unsigned i = 0; i < QUICK; i++) {
		jobs[i] = (struct quick){.job = {.run = run_quick, .run_many = run_each},
					 .running = &running,
					 .most = &most};
		assert_int_equal(tc_executor_submit(executor, &jobs[i].job), TOCSIN_OK);
	}
	do { /* a stop would have all of them run at once */
		sched_yield();
		tc_executor_get_stats(executor, &stats);
	} while (stats.queued > 0);
	assert_in_range(most, 1, never_slow.brisk_max);
	assert_null(tc_executor_free(executor));
	assert_int_equal(running, 0);
}

/* As many threads as jobs, each of which waits until all have begun; the first `together` may go together. */
static void run_all_at_once(const struct tc_executor_watch *watch, unsigned together)
{
	enum { THREADS = 8 };
	struct tc_executor *executor = NULL;
	struct task tasks[THREADS];
	struct gate gate;
	atomic_uint done = 0;

	gate_init(&gate);
	assert_int_equal(tc_executor_new(&executor, "test", THREADS, THREADS, NULL), TOCSIN_OK);
	assert_int_equal(tc_executor_watch(executor, watch, NULL), TOCSIN_OK);
	for (unsigned i = 0; i < THREADS; i++) {
		tasks[i] = (struct task){.job.run = run_task, .gate = &gate, .done = &done};
		if (i < together)
			tasks[i].job.run_many = run_each;
		assert_int_equal(tc_executor_submit(executor, &tasks[i].job), TOCSIN_OK);
		if (i == 0)
			gate_await(&gate, 1); /* the others are less than two a thread */
	}
	gate_await(&gate, THREADS);
	gate_open(&gate);
	assert_null(tc_executor_free(executor));
	assert_int_equal(done, THREADS);
}

/* As if for a slow database. Seen to fail (it waits for ever) where the slow stay in `brisk`, and where the
 * warden wakes nobody after the last submit. */
static void test_slow_jobs_have_all_threads(void **state)
{
	const struct tc_executor_watch watch = {
		.wait_max_ms = NEVER_MS, .brisk_max = 1, .slow_us = 1000};

	(void)state;
	run_all_at_once(&watch, 8);
}

/* All threads are busy when the warden looks; then one takes the first of two jobs that go one at a time, and is
 * slow, and the others sleep. Seen to fail (it waits for ever), in any of few rounds, where a thread that goes to
 * sleep does not wake the warden. */
static void test_threads_that_come_back_are_seen(void **state)
{
	enum { ROUNDS = 10, THREADS = 3, COUNT = THREADS + 2 };
	const struct tc_executor_watch watch = {
		.wait_max_ms = NEVER_MS, .brisk_max = 1, .slow_us = 20000};

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct tc_executor *executor = NULL;
		struct gate gates[THREADS + 1]; /* one a thread; that of the two */
		struct task tasks[COUNT];
		atomic_uint done = 0;

		assert_int_equal(tc_executor_new(&executor, "test", THREADS, COUNT, NULL),
				 TOCSIN_OK);
		assert_int_equal(tc_executor_watch(executor, &watch, NULL), TOCSIN_OK);
		for (unsigned i = 0; i < COUNT; i++) {
			struct gate *gate = &gates[TC_MIN(i, THREADS)];

			tasks[i] = (struct task){.job.run = run_task, .gate = gate, .done = &done};
			if (i >= THREADS)
				tasks[i].job.run_many = run_each;
			if (i <= THREADS)
				gate_init(gate);
			assert_int_equal(tc_executor_submit(executor, &tasks[i].job), TOCSIN_OK);
			if (i < THREADS)
				gate_await(gate, 1);
		}
		for (unsigned i = 0; i < THREADS; i++) {
			gate_open(&gates[i]);
			gate_await(&gates[THREADS], 1);
		}
		gate_await(&gates[THREADS], 2);
		gate_open(&gates[THREADS]);
		assert_null(tc_executor_free(executor));
		assert_int_equal(done, COUNT);
	}
}

/* Seen to fail (it waits for ever) where has_room counts the brisk for all jobs. */
static void test_other_jobs_have_all_threads(void **state)
{
	(void)state;
	run_all_at_once(&never_slow, never_slow.brisk_max);
}

static void test_bad_options(void **state)
{
	struct tc_executor *executor = NULL;
	struct tocsin_error error = {0};

	(void)state;
	assert_int_equal(tc_executor_new(&executor, "test", 0, 1, &error), TOCSIN_E_INVALID);
	assert_int_equal(tc_executor_new(&executor, "test", 1, 0, &error), TOCSIN_E_INVALID);
	assert_null(executor);
	assert_null(tc_executor_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_then_drain),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_a_stuck_thread_does_not_hold_up_the_queue),
		cmocka_unit_test(test_stopped_is_still_there),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_jobs_that_wait_go_together),
		cmocka_unit_test(test_quick_jobs_wake_few_threads),
		cmocka_unit_test(test_slow_jobs_have_all_threads),
		cmocka_unit_test(test_threads_that_come_back_are_seen),
		cmocka_unit_test(test_other_jobs_have_all_threads),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
