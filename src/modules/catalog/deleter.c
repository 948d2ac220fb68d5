/* modules/catalog/deleter.c: see deleter.h. Each step is a statement of its own, so that what it reads is younger than
 * the locks before it. */
#include "modules/catalog/deleter.h"

#include "base/clock.h"
#include "modules/incident/creator.h"
#include "pg/array.h"
#include "pg/query.h"
#include "pg/transaction.h"
#include "sql_app.h"
#include "sql_lib.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each failed attempt has met an incident opened and then changed within a moment. */
#define ATTEMPTS 10

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number
static const char batch_text[] = TEXT_OF(TC_CATALOG_HISTORY_BATCH);

struct tc_catalog_deleter {
	struct tc_catalog_deleter_options options;
	struct tc_batcher *batcher;
};

/* --- the history --- */

struct history {
	const char *id, *actor;
	int count; /* incidents of the last batch */
};

static int leave_some(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	struct history *history = userdata;
	unsigned held;
	TC_PIPELINE pipeline;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	held = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_history,
			       (const char *[]){history->id, batch_text});
	tc_pipeline_add(&pipeline, &tc_sql_catalog_leave_incidents,
			(const char *[]){history->id, history->actor});
	result = tc_pipeline_run(&pipeline, error);
	if (result == TOCSIN_OK)
		history->count = tc_result_get_integer(pipeline.results[held], 0, 0);
	return result;
}

static int leave_history(struct tocsin_pool *work_pool, const struct tc_catalog_deletion *deletion,
			 struct tocsin_error *error)
{
	struct history history = {.id = deletion->id, .actor = deletion->actor};
	int result;

	do
		result = tocsin_pool_transact(work_pool, leave_some, &history, error);
	while (result == TOCSIN_OK && history.count == TC_CATALOG_HISTORY_BATCH);
	return result;
}

/* --- the end --- */

/* Owned by the batcher from submit to finish. */
struct end {
	struct tc_item item;
	void (*done)(int result, const struct tocsin_error *error, void *userdata);
	void *userdata;
	const char *id, *actor; /* within text */
	bool may_be_over;       /* a commit was sent, and its answer lost */
	char text[];            /* key, NUL, actor, NUL; the id is the end of the key */
};

/* Begins and takes the key; *ret_held false: it is held elsewhere. */
static int take_key(struct tocsin_connection *connection, const struct end *end,
		    const char *wait_key, unsigned timeout_ms, bool *ret_held,
		    struct tocsin_error *error)
{
	uint64_t waited_ms = (tc_clock_us() - end->item.queued_us) / 1000;
	uint64_t left_ms = waited_ms < timeout_ms ? timeout_ms - waited_ms : 1;
	TC_BUFFER keys = {0};
	TC_PIPELINE pipeline;
	const char *keys_text;
	char timeout[24];
	unsigned at;
	int result;

	tc_array_append(&keys, end->item.key);
	keys_text = tc_array_finish(&keys);
	if (!keys_text)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_pg_begin, NULL);
	if (wait_key) {
		snprintf(timeout, sizeof(timeout), "%llu", (unsigned long long)left_ms);
		tc_pipeline_add(&pipeline, &tc_sql_incident_set_lock_timeout,
				(const char *const[]){timeout});
		at = tc_pipeline_add(&pipeline, &tc_sql_incident_wait_key, &wait_key);
		pipeline.timeout_ms += left_ms;
	} else {
		at = tc_pipeline_add(&pipeline, &tc_sql_incident_try_keys, &keys_text);
	}
	result = tc_pipeline_run(&pipeline, error);
	if (result == TOCSIN_OK)
		*ret_held = wait_key || strcmp(PQgetvalue(pipeline.results[at], 0, 1), "{t}") == 0;
	return result;
}

/* Under the key: the rows of all that is to change. */
static int hold_rows(struct tocsin_connection *connection, const struct end *end,
		     struct tocsin_error *error)
{
	const char *const bounded[] = {end->id, batch_text};
	TC_PIPELINE pipeline;
	unsigned system, rest;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_incidents, bounded);
	system = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_last, &end->id);
	rest = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_rest, bounded);
	result = tc_pipeline_run(&pipeline, error);
	if (result)
		return result;
	if (PQntuples(pipeline.results[system]) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no system %.255s",
					end->id);
	if (!tc_result_is_true(pipeline.results[rest], 0, 0))
		return tocsin_error_set(error, TOCSIN_E_RETRY,
					"Incidents of the system are being changed; try again");
	return TOCSIN_OK;
}

/* With these: the change, and the commit. */
static int delete_system(struct tocsin_connection *connection, struct end *end,
			 struct tocsin_error *error)
{
	const char *const values[] = {end->id, end->actor};
	TC_PIPELINE pipeline;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_catalog_leave_incidents, values);
	tc_pipeline_add(&pipeline, &tc_sql_catalog_delete_system, values);
	tc_pipeline_add(&pipeline, &tc_sql_pg_commit, NULL);
	result = tc_pipeline_run(&pipeline, error);
	end->may_be_over |= result == TOCSIN_E_UNAVAILABLE;
	return result;
}

static int run(struct tocsin_connection *connection, struct tc_item **items, unsigned count,
	       const char *wait_key, void *userdata, struct tocsin_error *error)
{
	struct tc_catalog_deleter *deleter = userdata;
	struct end *end = tc_container_of(items[0], struct end, item);
	bool is_held = false;
	int result = TOCSIN_OK;

	(void)count; /* batch_max is 1 */
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		result = take_key(connection, end, wait_key, deleter->options.wait_timeout_ms,
				  &is_held, error);
		if (result == TOCSIN_OK && is_held)
			result = hold_rows(connection, end, error);
		if (result == TOCSIN_OK && is_held)
			result = delete_system(connection, end, error);
		if (result || !is_held)
			tc_transaction_rollback(connection);
		if (result != TOCSIN_E_RETRY && result != TOCSIN_E_DEADLOCK)
			break;
	}
	if (result != TOCSIN_OK && result != TOCSIN_E_NOT_FOUND)
		return result;
	end->item.state = result == TOCSIN_OK && !is_held           ? TC_ITEM_BUSY
			  : result == TOCSIN_OK || end->may_be_over ? TC_ITEM_DONE
								    : TC_ITEM_FAILED;
	if (end->item.state == TC_ITEM_FAILED)
		end->item.error = *error;
	return TOCSIN_OK;
}

static void finish(struct tc_item *item, void *userdata)
{
	struct end *end = tc_container_of(item, struct end, item);

	(void)userdata;
	if (item->state == TC_ITEM_DONE)
		end->done(TOCSIN_OK, NULL, end->userdata);
	else
		end->done(item->error.code, &item->error, end->userdata);
	free(end);
}

/* NULL if memory ran out. */
static struct end *end_new(const struct tc_catalog_deletion *deletion)
{
	static const char prefix[] = TC_INCIDENT_DEDUPE_KEY_PREFIX;
	const char *actor = deletion->actor ? deletion->actor : "";
	size_t key_size = sizeof(prefix) + strlen(deletion->id), actor_size = strlen(actor) + 1;
	struct end *end = calloc(1, sizeof(*end) + key_size + actor_size);

	if (!end)
		return NULL;
	snprintf(end->text, key_size, "%s%s", prefix, deletion->id);
	memcpy(end->text + key_size, actor, actor_size);
	end->item.key = end->text;
	end->id = end->text + sizeof(prefix) - 1;
	end->actor = deletion->actor ? end->text + key_size : NULL;
	end->done = deletion->done;
	end->userdata = deletion->userdata;
	return end;
}

/* --- the service --- */

int tc_catalog_deleter_new(struct tc_catalog_deleter **ret_deleter,
			   const struct tc_catalog_deleter_options *options,
			   struct tocsin_error *error)
{
	TC_CLEANUP(tc_catalog_deleter_free)
	struct tc_catalog_deleter *deleter = calloc(1, sizeof(*deleter));
	const struct tc_batcher_options batcher = {.name = "delete",
						   .lock_pool = options->lock_pool,
						   .workers = 1,
						   .waiters_max = options->waiters_max,
						   .queue_max = TC_CATALOG_DELETIONS_MAX,
						   .batch_max = 1,
						   .wait_timeout_ms = options->wait_timeout_ms,
						   .run = run,
						   .finish = finish,
						   .userdata = deleter};
	int result;

	if (!deleter)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	deleter->options = *options;
	result = tc_batcher_new(&deleter->batcher, &batcher, error);
	if (result)
		return result;
	*ret_deleter = tc_take(deleter);
	return TOCSIN_OK;
}

struct tc_catalog_deleter *tc_catalog_deleter_free(struct tc_catalog_deleter *deleter)
{
	if (!deleter)
		return NULL;
	tc_batcher_free(deleter->batcher);
	free(deleter);
	return NULL;
}

void tc_catalog_deleter_run(struct tc_catalog_deleter *deleter,
			    const struct tc_catalog_deletion *deletion)
{
	struct tocsin_error error;
	struct end *end = NULL;
	int result = leave_history(deleter->options.work_pool, deletion, &error);

	if (result == TOCSIN_OK && !(end = end_new(deletion)))
		result = tocsin_error_set(&error, TOCSIN_E_NOMEM, "Out of memory");
	if (end) {
		result = tc_batcher_submit(deleter->batcher, &end->item);
		if (result == TOCSIN_OK)
			return;
		free(end);
		tocsin_error_set(&error, result, "Too many deletions are waiting");
	}
	deletion->done(result, &error, deletion->userdata);
}

void tc_catalog_deleter_get_stats(struct tc_catalog_deleter *deleter,
				  struct tc_batcher_stats *ret_stats)
{
	tc_batcher_get_stats(deleter->batcher, ret_stats);
}
