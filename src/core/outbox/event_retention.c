/* core/outbox/event_retention.c: see event_retention.h. */
#include "core/outbox/event_retention.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "pg/query.h"
#include "sql_app.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define INTERVAL_MAX_MS 60000u
#define INTERVAL_MIN_MS 1000u
#define MS_OF_A_TENTH_S 100u

struct tc_event_retention {
	struct tc_event_retention_options options;
	uint64_t interval_ms;
	_Atomic uint64_t removed;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t stop;
	bool must_stop;
};

static bool is_stopping(struct tc_event_retention *retention)
{
	TC_LOCKED(&retention->mutex);

	return retention->must_stop;
}

struct piece {
	const struct tc_event_retention_rule *rule;
	unsigned count; /* removed */
};

static int remove_piece(struct tocsin_connection *connection, void *userdata,
			struct tocsin_error *error)
{
	struct piece *piece = userdata;
	TC_RESULT *locked = NULL;
	TC_RESULT *rows = NULL;
	char age[12], most[12];
	const char *const values[] = {age, most};
	int result = tc_query(connection, &tc_sql_outbox_retention_lock, NULL, &locked, error);

	piece->count = 0;
	if (result != TOCSIN_OK || !tc_result_is_true(locked, 0, 0))
		return result; /* another node is at it */
	snprintf(age, sizeof(age), "%u", piece->rule->age_s);
	snprintf(most, sizeof(most), "%u", TC_EVENT_RETENTION_BATCH);
	result = tc_query(connection, piece->rule->remove, values, &rows, error);
	if (result == TOCSIN_OK)
		piece->count = (unsigned)strtoul(PQgetvalue(rows, 0, 0), NULL, 10);
	return result;
}

static int remove_all(struct tc_event_retention *retention, struct tocsin_error *error)
{
	int result = TOCSIN_OK;

	for (unsigned i = 0; i < retention->options.rules_count && result == TOCSIN_OK; i++) {
		struct piece piece = {.rule = &retention->options.rules[i]};

		do {
			result = tocsin_pool_transact(retention->options.pool, remove_piece, &piece,
						      error);
			if (result == TOCSIN_OK)
				atomic_fetch_add(&retention->removed, piece.count);
		} while (result == TOCSIN_OK && piece.count == TC_EVENT_RETENTION_BATCH &&
			 !is_stopping(retention));
	}
	return result;
}

static bool wait_for_turn(struct tc_event_retention *retention)
{
	uint64_t until_ms = tc_clock_ms() + retention->interval_ms;
	TC_LOCKED(&retention->mutex);

	while (!retention->must_stop &&
	       tc_cond_wait_until(&retention->stop, &retention->mutex, until_ms))
		;
	return !retention->must_stop;
}

static void *run(void *argument)
{
	struct tc_event_retention *retention = argument;
	bool has_failed = false;

	while (wait_for_turn(retention)) {
		struct tocsin_error error;
		int result = remove_all(retention, &error);

		if (result && !has_failed)
			tc_log_warning("events.retention", "cannot remove old events: %s",
				       error.message);
		has_failed = result != TOCSIN_OK;
	}
	return NULL;
}

int tc_event_retention_new(struct tc_event_retention **ret_retention,
			   const struct tc_event_retention_options *options,
			   struct tocsin_error *error)
{
	struct tc_event_retention *retention = calloc(1, sizeof(*retention));
	int result;

	assert(options->rules_count <= TC_EVENT_RETENTION_RULES_MAX);
	if (!retention)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	retention->options = *options;
	retention->interval_ms = INTERVAL_MAX_MS;
	for (unsigned i = 0; i < options->rules_count; i++)
		retention->interval_ms =
			TC_MIN(retention->interval_ms,
			       (uint64_t)options->rules[i].age_s * MS_OF_A_TENTH_S);
	retention->interval_ms = TC_MAX(retention->interval_ms, INTERVAL_MIN_MS);
	tc_mutex_init(&retention->mutex);
	tc_cond_init(&retention->stop);
	result = tc_thread_start(&retention->thread, "retention", run, retention, error);
	if (result) {
		pthread_cond_destroy(&retention->stop);
		pthread_mutex_destroy(&retention->mutex);
		free(retention);
		return result;
	}
	*ret_retention = retention;
	return TOCSIN_OK;
}

struct tc_event_retention *tc_event_retention_free(struct tc_event_retention *retention)
{
	if (!retention)
		return NULL;
	tc_mutex_lock(&retention->mutex);
	retention->must_stop = true;
	pthread_cond_signal(&retention->stop);
	tc_mutex_unlock(&retention->mutex);
	pthread_join(retention->thread, NULL);
	pthread_cond_destroy(&retention->stop);
	pthread_mutex_destroy(&retention->mutex);
	free(retention);
	return NULL;
}

uint64_t tc_event_retention_removed(struct tc_event_retention *retention)
{
	return atomic_load(&retention->removed);
}
