/* app/stop_watch.c: see stop_watch.h. A closed pool hands out nothing; but who has a connection may send a
 * further statement after the one that was cancelled: so it cancels more than once. */
#include "app/stop_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include <assert.h>
#include <stdlib.h>
#include <tocsin/pool.h>

#define AGAIN_MS 500u

struct tc_stop_watch {
	pthread_mutex_t mutex;
	pthread_cond_t stopped;
	bool is_stopped;
	uint64_t deadline_ms;
	struct tocsin_pool *pools[TC_STOP_POOLS_MAX];
	unsigned pools_count;
	pthread_t thread;
};

/* True when the stop came to its end before the deadline. */
static bool wait_for_end(struct tc_stop_watch *watch)
{
	TC_LOCKED(&watch->mutex);

	while (!watch->is_stopped)
		if (!tc_cond_wait_until(&watch->stopped, &watch->mutex, watch->deadline_ms))
			break;
	return watch->is_stopped;
}

static void *run_watch(void *argument)
{
	struct tc_stop_watch *watch = argument;

	while (!wait_for_end(watch)) {
		unsigned cancelled = 0;

		for (unsigned i = 0; i < watch->pools_count; i++)
			tocsin_pool_close(watch->pools[i]);
		for (unsigned i = 0; i < watch->pools_count; i++)
			cancelled += tocsin_pool_cancel(watch->pools[i]);
		if (cancelled > 0)
			tc_log_warning("serve.given_up",
				       "cancelled %u statement%s that held up the stop", cancelled,
				       TC_PLURAL(cancelled));
		watch->deadline_ms = tc_clock_ms() + AGAIN_MS;
	}
	return NULL;
}

struct tc_stop_watch *tc_stop_watch_new(struct tocsin_pool *const *pools, unsigned count,
					unsigned patience_ms)
{
	struct tc_stop_watch *watch = calloc(1, sizeof(*watch));
	struct tocsin_error error;

	assert(count <= TC_STOP_POOLS_MAX);
	if (!watch)
		return NULL;
	tc_mutex_init(&watch->mutex);
	tc_cond_init(&watch->stopped);
	watch->deadline_ms = tc_clock_ms() + patience_ms;
	for (unsigned i = 0; i < count; i++)
		if (pools[i])
			watch->pools[watch->pools_count++] = pools[i];
	if (tc_thread_start(&watch->thread, "stop-watch", run_watch, watch, &error) != TOCSIN_OK) {
		tc_log_warning("serve.unwatched", "the stop has no bound: %s", error.message);
		pthread_cond_destroy(&watch->stopped);
		pthread_mutex_destroy(&watch->mutex);
		free(watch);
		return NULL;
	}
	return watch;
}

struct tc_stop_watch *tc_stop_watch_free(struct tc_stop_watch *watch)
{
	if (!watch)
		return NULL;
	tc_mutex_lock(&watch->mutex);
	watch->is_stopped = true;
	pthread_cond_signal(&watch->stopped);
	tc_mutex_unlock(&watch->mutex);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->stopped);
	pthread_mutex_destroy(&watch->mutex);
	free(watch);
	return NULL;
}
