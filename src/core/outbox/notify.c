/* core/outbox/notify.c: see notify.h. `wanted` is atomic, so that those who ask while somebody has asked already
 * pay one exchange; the mutex is for the sleeping thread. */
#include "core/outbox/notify.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct tc_notify {
	struct tocsin_pool *pool;
	char *payload;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* wanted or must_stop */
	bool must_stop;
	atomic_bool wanted;
	_Atomic uint64_t sent;
};

static void send_one(struct tc_notify *notify, bool *has_failed)
{
	const char *const values[] = {notify->payload};
	struct tocsin_connection *connection;
	struct tocsin_error error;
	int result = tocsin_pool_acquire(notify->pool, &connection, &error);

	if (result == TOCSIN_OK) {
		result = tc_query(connection, &tc_sql_outbox_notify, values, NULL, &error);
		tocsin_pool_release(connection);
	}
	if (result == TOCSIN_OK)
		atomic_fetch_add(&notify->sent, 1);
	else if (!*has_failed)
		tc_log_warning("notify.failed", "cannot send hints to other nodes: %s",
			       error.message);
	*has_failed = result != TOCSIN_OK;
}

/* Until one is wanted, and `pace_ms` has come. False: to stop, with nothing wanted. */
static bool wait_for_request(struct tc_notify *notify, uint64_t pace_ms)
{
	TC_LOCKED(&notify->mutex);

	while (!notify->must_stop) {
		bool is_wanted = atomic_load(&notify->wanted);

		if (is_wanted && tc_clock_ms() >= pace_ms)
			break;
		if (is_wanted)
			tc_cond_wait_until(&notify->changed, &notify->mutex, pace_ms);
		else
			tc_cond_wait(&notify->changed, &notify->mutex);
	}
	return atomic_exchange(&notify->wanted, false);
}

static void *run(void *argument)
{
	struct tc_notify *notify = argument;
	bool has_failed = false;
	uint64_t pace_ms = 0;

	while (wait_for_request(notify, pace_ms)) {
		send_one(notify, &has_failed);
		pace_ms = tc_clock_ms() + TC_NOTIFY_PACE_MS;
	}
	return NULL;
}

int tc_notify_new(struct tc_notify **ret_notify, struct tocsin_pool *pool, const char *payload,
		  struct tocsin_error *error)
{
	struct tc_notify *notify = calloc(1, sizeof(*notify));
	int result = TOCSIN_E_NOMEM;

	if (notify)
		notify->payload = strdup(payload);
	if (!notify || !notify->payload) {
		free(notify);
		return tocsin_error_set(error, result, "out of memory for hints");
	}
	notify->pool = pool;
	tc_mutex_init(&notify->mutex);
	tc_cond_init(&notify->changed);
	result = tc_thread_start(&notify->thread, "notify", run, notify, error);
	if (result) {
		pthread_cond_destroy(&notify->changed);
		pthread_mutex_destroy(&notify->mutex);
		free(notify->payload);
		free(notify);
		return result;
	}
	*ret_notify = notify;
	return TOCSIN_OK;
}

struct tc_notify *tc_notify_free(struct tc_notify *notify)
{
	if (!notify)
		return NULL;
	tc_mutex_lock(&notify->mutex);
	notify->must_stop = true;
	pthread_cond_signal(&notify->changed);
	tc_mutex_unlock(&notify->mutex);
	pthread_join(notify->thread, NULL);
	pthread_cond_destroy(&notify->changed);
	pthread_mutex_destroy(&notify->mutex);
	free(notify->payload);
	free(notify);
	return NULL;
}

void tc_notify_request(struct tc_notify *notify)
{
	if (atomic_exchange(&notify->wanted, true))
		return;
	tc_mutex_lock(&notify->mutex);
	pthread_cond_signal(&notify->changed);
	tc_mutex_unlock(&notify->mutex);
}

uint64_t tc_notify_sent(struct tc_notify *notify)
{
	return atomic_load(&notify->sent);
}
