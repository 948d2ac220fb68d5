/* lock/advisory.c: with, nest and in transaction, on one lock-pool connection an operation.
 *
 * Taking a key is one round trip: begin (or savepoint), bound the wait, lock, then take and drop the
 * fence. The last step is what makes a new holder wait for the fenced work of one that lost the key
 * (see fence.c). Letting go is the rollback of the transaction or savepoint: nothing is written here. */
#include "lock/advisory.h"

#include "base/clock.h"
#include "pg/query.h"
#include "pg/rank.h"
#include "pg/transaction.h"
#include "sql_lib.h"
#include <stdio.h>
#include <stdlib.h>

TC_DEFINE_CLEANUP(struct tc_advisory *, free);

/* On top of the waits that the server itself bounds, before its silence counts as a lost connection. */
#define ANSWER_MARGIN_MS 10000u

static int fail_taking(const struct tocsin_held *held, int code, struct tocsin_error *error)
{
	if (code == TOCSIN_E_LOCK_TIMEOUT)
		return tocsin_error_set(error, code, "the key '%s' was not granted within %u ms",
					held->key, held->locks->wait_timeout_ms);
	if (code == TOCSIN_E_DEADLOCK)
		return tocsin_error_set(
			error, code,
			"waiting for the key '%s' would close a circle of operations that wait for "
			"each other; retry the whole operation",
			held->key);
	return code;
}

/* One round trip: `start` is begin, or a savepoint in the transaction of the outer key. */
static int take_key(struct tocsin_held *held, const struct tc_sql *start,
		    struct tocsin_error *error)
{
	uint64_t left_ms =
		TC_MAX(tc_clock_remaining_ms(held->deadline_ms), 1u); /* 0 would mean for ever */
	char left_text[24];
	TC_PIPELINE pipeline;

	snprintf(left_text, sizeof(left_text), "%u", (unsigned)left_ms);
	tc_pipeline_begin(&pipeline, held->connection);
	pipeline.timeout_ms = 2 * left_ms + ANSWER_MARGIN_MS; /* for the key, then for the fence */
	tc_pipeline_add(&pipeline, start, NULL);
	tc_pipeline_add(&pipeline, &tc_sql_lock_wait_timeout, (const char *[]){left_text});
	tc_pipeline_add(&pipeline, &tc_sql_lock_lock_key, (const char *[]){held->key});
	tc_pipeline_add(&pipeline, &tc_sql_lock_savepoint_fence, NULL);
	tc_pipeline_add(&pipeline, &tc_sql_lock_enter_fence, (const char *[]){held->key});
	tc_pipeline_add(&pipeline, &tc_sql_lock_rollback_fence, NULL);
	tc_pipeline_add(&pipeline, &tc_sql_lock_release_fence, NULL);
	return fail_taking(held, tc_pipeline_run(&pipeline, error), error);
}

/* Borrows a lock connection and takes the first key on it. One that died idle is replaced. */
static int take_first(struct tocsin_held *held, struct tocsin_connection **ret_connection,
		      struct tocsin_error *error)
{
	struct tc_advisory *advisory = tc_advisory_from(held->locks);
	int code = TOCSIN_E_UNAVAILABLE;

	for (unsigned i = 0; i < TOCSIN_TRANSACTION_ATTEMPTS; i++) {
		TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;

		code = tocsin_pool_acquire(advisory->options.lock_pool, &connection, error);
		if (code != TOCSIN_OK)
			break;
		held->connection = connection;
		code = take_key(held, &tc_sql_pg_begin, error);
		if (code == TOCSIN_OK) {
			*ret_connection = tc_take(connection);
			break;
		}
		tc_transaction_rollback(connection);
		if (code != TOCSIN_E_UNAVAILABLE || tc_clock_remaining_ms(held->deadline_ms) == 0)
			break;
	}
	return tc_locks_count(held->locks, code);
}

static int check(struct tocsin_locks *locks, struct tocsin_error *error)
{
	return tc_rank_check(tc_advisory_from(locks)->options.lock_pool, error);
}

static int run_with(struct tocsin_held *held, tocsin_held_fn function, void *userdata,
		    struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	int code = take_first(held, &connection, error);

	if (code != TOCSIN_OK)
		return code;
	code = function(held, userdata, error);
	tc_transaction_rollback(connection);
	return code;
}

static int run_in_transaction(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
			      struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	int code = take_first(held, &connection, error);

	if (code != TOCSIN_OK)
		return code;
	code = work(connection, userdata, error);
	if (code == TOCSIN_OK)
		return tc_transaction_commit(connection, error);
	tc_transaction_rollback(connection);
	return code;
}

/* Lets an inner key go, and leaves the failed state if taking it failed. Should this fail, so will
 * everything that follows on the connection: nothing is reported twice. */
static void drop_nested(struct tocsin_held *held)
{
	TC_PIPELINE pipeline;

	tc_pipeline_begin(&pipeline, held->connection);
	tc_pipeline_add(&pipeline, &tc_sql_lock_rollback_key, NULL);
	tc_pipeline_add(&pipeline, &tc_sql_lock_release_key, NULL);
	tc_pipeline_run(&pipeline, NULL);
}

static int run_nested(struct tocsin_held *held, tocsin_held_fn function, void *userdata,
		      struct tocsin_error *error)
{
	int code = tc_rank_check_nested(held->connection->pool, error);

	if (code != TOCSIN_OK)
		return code;
	code = take_key(held, &tc_sql_lock_savepoint_key, error);
	if (code == TOCSIN_E_UNAVAILABLE)
		code = tocsin_error_set(error, TOCSIN_E_LOCK_LOST, "the lock on '%s' was lost",
					held->outer->key);
	if (tc_locks_count(held->locks, code) == TOCSIN_OK)
		code = function(held, userdata, error);
	drop_nested(held);
	return code;
}

static int try_key(struct tocsin_session *session, struct tocsin_error *error)
{
	return tc_session_driver_try(tc_advisory_from(session->locks)->driver, session, error);
}

static void release_key(struct tocsin_session *session)
{
	tc_session_driver_release(tc_advisory_from(session->locks)->driver, session);
}

static struct tocsin_locks *free_advisory(struct tocsin_locks *locks)
{
	struct tc_advisory *advisory = tc_advisory_from(locks);

	tc_session_driver_free(advisory->driver);
	tc_locks_deinit(locks);
	free(advisory);
	return NULL;
}

static const struct tc_lock_operations advisory_operations = {
	.free = free_advisory,
	.check = check,
	.try = try_key,
	.release = release_key,
	.with = run_with,
	.nest = run_nested,
	.work = tc_fence_work,
	.in_transaction = run_in_transaction,
};

static int check_options(const struct tocsin_locks_options *options, struct tocsin_error *error)
{
	if (!options->lock_pool || tc_pool_purpose(options->lock_pool) != TOCSIN_POOL_LOCK)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"locks need a pool whose purpose is locks");
	if (options->work_pool && tc_pool_purpose(options->work_pool) != TOCSIN_POOL_WORK)
		return tocsin_error_set(error, TOCSIN_E_INVALID, "pool '%s' is not for work",
					tc_pool_name(options->work_pool));
	return TOCSIN_OK;
}

int tocsin_locks_new(struct tocsin_locks **ret_locks, const struct tocsin_locks_options *options,
		     struct tocsin_error *error)
{
	TC_CLEANUP(free) struct tc_advisory *advisory = NULL;
	int code = check_options(options, error);

	if (code != TOCSIN_OK)
		return code;
	advisory = calloc(1, sizeof(*advisory));
	if (!advisory)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a lock service");
	advisory->options = *options;
	code = tc_locks_init(&advisory->base, &advisory_operations, options->wait_timeout_ms,
			     error);
	if (code != TOCSIN_OK)
		return code;
	code = tc_session_driver_new(&advisory->driver, &advisory->base, options->lock_pool, error);
	if (code != TOCSIN_OK) {
		tc_locks_deinit(&advisory->base);
		return code;
	}
	*ret_locks = &tc_take(advisory)->base;
	return TOCSIN_OK;
}
