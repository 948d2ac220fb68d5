/* modules/catalog/deleter.c: see deleter.h. Each step is a statement of its own, so that what it reads is younger than
 * the locks before it. */
#include "modules/catalog/deleter.h"

#include "core/procedure/idempotency.h"
#include "modules/catalog/catalog.h"
#include "modules/incident/creator.h"
#include "pg/array.h"
#include "pg/query.h"
#include "pg/transaction.h"
#include "sql_app.h"
#include "sql_lib.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each failed attempt has met an incident opened and then changed within a moment, or more history. After so many
 * others may have the connection. */
#define ATTEMPTS 3
/* For a row, where no waiter does the waiting: an ordinary change of an incident is over by then, and others want the
 * connection. */
#define ROW_WAIT_MS 5u

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
	struct tc_call *call; /* NULL: none */
	void (*done)(int result, const struct tocsin_error *error, void *userdata);
	void *userdata;
	const char *id, *actor; /* within text */
	bool may_be_over;       /* a commit was sent, and its answer lost */
	bool is_stored;         /* the call's answer is */
	char text[];            /* key, NUL, actor, NUL; the id is the end of the key */
};

/* Where and how an end is tried. */
struct attempt {
	struct tocsin_connection *connection;
	const char *wait_key; /* NULL: the key is only tried */
	uint64_t wait_ms;     /* for each lock */
};

/* Begins, with waits bounded from then on; more may be added. */
static void add_begin(struct tc_pipeline *pipeline, const struct attempt *attempt)
{
	char timeout[24];

	tc_pipeline_begin(pipeline, attempt->connection);
	snprintf(timeout, sizeof(timeout), "%llu", (unsigned long long)attempt->wait_ms);
	tc_pipeline_add(pipeline, &tc_sql_pg_begin, NULL);
	tc_pipeline_add(pipeline, &tc_sql_incident_set_lock_timeout,
			(const char *const[]){timeout});
	pipeline->timeout_ms += attempt->wait_ms;
}

/* Begins and takes the key. LOCK_BUSY: it is held elsewhere. */
static int take_key(const struct attempt *attempt, const struct end *end,
		    struct tocsin_error *error)
{
	TC_BUFFER keys = {0};
	TC_PIPELINE pipeline;
	const char *keys_text;
	unsigned at;
	int result;

	add_begin(&pipeline, attempt);
	tc_array_append(&keys, end->item.key);
	keys_text = tc_array_finish(&keys);
	if (!keys_text)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	at = attempt->wait_key
		     ? tc_pipeline_add(&pipeline, &tc_sql_incident_wait_key, &attempt->wait_key)
		     : tc_pipeline_add(&pipeline, &tc_sql_incident_try_keys, &keys_text);
	result = tc_pipeline_run(&pipeline, error);
	if (result == TOCSIN_OK && !attempt->wait_key &&
	    strcmp(PQgetvalue(pipeline.results[at], 0, 0), "{t}") != 0)
		return tocsin_error_set(error, TOCSIN_E_LOCK_BUSY, "%s is held", end->item.key);
	return result;
}

static int fail_retry(struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_RETRY,
				"Incidents of the system are being changed; try again");
}

/* Under the key: the rows of all that is to change. RETRY: there are more. */
static int hold_rows(const struct attempt *attempt, const struct end *end,
		     struct tocsin_error *error)
{
	const char *const bounded[] = {end->id, batch_text};
	TC_PIPELINE pipeline;
	unsigned system, rest;
	int result;

	tc_pipeline_begin(&pipeline, attempt->connection);
	pipeline.timeout_ms += attempt->wait_ms;
	tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_incidents, bounded);
	system = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_last, &end->id);
	rest = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_rest, bounded);
	result = tc_pipeline_run(&pipeline, error);
	if (result)
		return result;
	if (PQntuples(pipeline.results[system]) == 0)
		return tc_catalog_not_found("system", end->id, error);
	return tc_result_is_true(pipeline.results[rest], 0, 0) ? TOCSIN_OK : fail_retry(error);
}

/* The answer is stored with what it tells of. EXISTS: its key has one by now. */
static int commit_claimed(struct tocsin_connection *connection, struct end *end,
			  struct tocsin_error *error)
{
	TC_CLAIMS_SCOPED claims = {0};
	bool is_complete = false;
	int result;

	tc_claims_add(&claims, end->call, 204, NULL, 0);
	result = tc_claims_store(&claims, connection, &is_complete, error);
	if (result == TOCSIN_OK && !is_complete)
		return tocsin_error_set(error, TOCSIN_E_EXISTS,
					"The Idempotency-Key has an answer by now");
	if (result)
		return result;
	result = tc_transaction_commit(connection, error);
	end->is_stored = result == TOCSIN_OK;
	end->may_be_over |= result == TOCSIN_E_UNAVAILABLE;
	return result;
}

/* With these: the change, and the commit. RETRY: somebody slipped by. */
static int delete_system(struct tocsin_connection *connection, struct end *end,
			 struct tocsin_error *error)
{
	const char *const values[] = {end->id, end->actor};
	bool has_claim = end->call && tc_idempotency_has(end->call);
	TC_PIPELINE pipeline;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_catalog_leave_incidents, values);
	tc_pipeline_add(&pipeline, &tc_sql_catalog_delete_system, values);
	if (!has_claim)
		tc_pipeline_add(&pipeline, &tc_sql_pg_commit, NULL);
	result = tc_pipeline_run(&pipeline, error);
	if (result == TOCSIN_E_REFERENCE)
		return fail_retry(error);
	if (has_claim)
		return result ? result : commit_claimed(connection, end, error);
	end->may_be_over |= result == TOCSIN_E_UNAVAILABLE;
	return result;
}

/* What was resolved while the end waited is history too, and may be more than the end takes with it. */
static int leave_more(const struct attempt *attempt, const struct end *end,
		      struct tocsin_error *error)
{
	struct history history = {.id = end->id, .actor = end->actor};
	TC_PIPELINE pipeline;
	int result;

	add_begin(&pipeline, attempt);
	result = tc_pipeline_run(&pipeline, error);
	if (result == TOCSIN_OK)
		result = leave_some(attempt->connection, &history, error);
	if (result == TOCSIN_OK)
		result = tc_transaction_commit(attempt->connection, error);
	tc_transaction_rollback(attempt->connection);
	return result;
}

/* As far as it goes on this connection. */
static int try_end(struct attempt *attempt, struct end *end, unsigned timeout_ms,
		   struct tocsin_error *error)
{
	int result = TOCSIN_OK;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct tc_item *item = &end->item;

		attempt->wait_ms = attempt->wait_key ? tc_batcher_remaining_ms(&item, 1, timeout_ms)
						     : ROW_WAIT_MS;
		result = take_key(attempt, end, error);
		if (result == TOCSIN_OK)
			result = hold_rows(attempt, end, error);
		if (result == TOCSIN_OK)
			result = delete_system(attempt->connection, end, error);
		tc_transaction_rollback(attempt->connection); /* what was not committed */
		if (result != TOCSIN_E_RETRY && result != TOCSIN_E_DEADLOCK)
			return result;
		result = leave_more(attempt, end, error);
		if (result)
			return result;
	}
	return fail_retry(error);
}

static int run(struct tocsin_connection *connection, struct tc_item **items, unsigned count,
	       const char *wait_key, void *userdata, struct tocsin_error *error)
{
	const struct tc_catalog_deleter *deleter = userdata;
	struct end *end = tc_container_of(items[0], struct end, item);
	struct attempt attempt = {.connection = connection, .wait_key = wait_key};
	int result = try_end(&attempt, end, deleter->options.wait_timeout_ms, error);

	(void)count; /* batch_max is 1 */
	switch (result) {
	case TOCSIN_OK:
		end->item.state = TC_ITEM_DONE;
		return TOCSIN_OK;
	case TOCSIN_E_LOCK_BUSY:
	case TOCSIN_E_LOCK_TIMEOUT:
	case TOCSIN_E_RETRY:
	case TOCSIN_E_DEADLOCK:
		end->item.state = TC_ITEM_BUSY; /* until its time is over */
		return TOCSIN_OK;
	case TOCSIN_E_NOT_FOUND:
		end->item.state = end->may_be_over ? TC_ITEM_DONE : TC_ITEM_FAILED;
		end->item.error = *error;
		return TOCSIN_OK;
	default:
		return result;
	}
}

static void finish(struct tc_item *item, void *userdata)
{
	struct end *end = tc_container_of(item, struct end, item);

	(void)userdata;
	if (end->is_stored)
		tc_claims_done(end->call);
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
	end->call = deletion->call;
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
