/* lock/fence.c: work that cannot commit once its lock is lost (a fence; M. Kleppmann, "How to do
 * distributed locking", 2016, asks the store for it, and here the store and the lock service are one).
 *
 * A work transaction first takes the SHARED lock on the fence of each key, then checks in pg_locks
 * that the lock transaction still holds every key; it checks again in the round trip of its commit.
 * Each new holder, after taking the key, takes and drops the EXCLUSIVE fence. So, whichever comes
 * first: the new holder waits for work that is under way to end, or the work sees the key gone and fails.
 *
 * The lock transaction is known by process id, virtual transaction and start of the server together:
 * none of them alone is unique for ever. */
#include "lock/advisory.h"

#include "base/buffer.h"
#include "pg/array.h"
#include "pg/query.h"
#include "pg/transaction.h"
#include "sql_lib.h"
#include <stdio.h>
#include <string.h>

#define CHECK_FAILED "22012" /* see sql/check_fence.sql */

struct fence {
	const char *keys;     /* text of an array */
	const char *check[4]; /* parameters of check_fence.sql */
};

static int fail_lost(const struct tocsin_held *held, struct tocsin_error *error)
{
	return tc_locks_count(
		held->locks,
		tocsin_error_set(error, TOCSIN_E_LOCK_LOST,
				 "the lock on '%s' was lost; the work was not committed",
				 held->key));
}

/* A failed check means the key is gone; anything else is what it is. */
static int explain(const struct tocsin_held *held, int code, struct tocsin_error *error)
{
	return strcmp(error->sqlstate, CHECK_FAILED) == 0 ? fail_lost(held, error) : code;
}

static int begin_fenced(struct tocsin_connection *connection, const struct tocsin_held *held,
			const struct fence *fence, struct tocsin_error *error)
{
	unsigned idle_ms = tc_advisory_from(held->locks)->options.idle_tx_timeout_ms;
	char idle_text[16];
	TC_PIPELINE pipeline;
	int code;

	snprintf(idle_text, sizeof(idle_text), "%u", idle_ms);
	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_pg_begin, NULL);
	if (idle_ms > 0)
		tc_pipeline_add(&pipeline, &tc_sql_lock_idle_timeout, (const char *[]){idle_text});
	tc_pipeline_add(&pipeline, &tc_sql_lock_share_fence, &fence->keys);
	tc_pipeline_add(&pipeline, &tc_sql_lock_check_fence, fence->check);
	code = tc_pipeline_run(&pipeline, error);
	return code == TOCSIN_OK ? code : explain(held, code, error);
}

static int commit_fenced(struct tocsin_connection *connection, const struct tocsin_held *held,
			 const struct fence *fence, struct tocsin_error *error)
{
	TC_PIPELINE pipeline;
	int code;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_lock_check_fence, fence->check);
	tc_pipeline_add(&pipeline, &tc_sql_pg_commit, NULL);
	code = tc_pipeline_run(&pipeline, error);
	return code == TOCSIN_OK ? code : explain(held, code, error);
}

static int run_fenced(const struct tocsin_held *held, const struct fence *fence,
		      tocsin_work_fn work, void *userdata, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	struct tocsin_pool *work_pool = tc_advisory_from(held->locks)->options.work_pool;
	int code = TOCSIN_E_UNAVAILABLE;

	/* A connection that died idle is replaced; nothing was done on it. */
	for (unsigned i = 0; i < TOCSIN_TRANSACTION_ATTEMPTS && code == TOCSIN_E_UNAVAILABLE; i++) {
		connection = tocsin_pool_release(connection);
		code = tocsin_pool_acquire(work_pool, &connection, error);
		if (code != TOCSIN_OK)
			return code;
		code = begin_fenced(connection, held, fence, error);
	}
	if (code == TOCSIN_OK)
		code = work(connection, userdata, error);
	if (code == TOCSIN_OK)
		code = commit_fenced(connection, held, fence, error);
	if (code != TOCSIN_OK)
		tc_transaction_rollback(connection);
	return code;
}

int tc_fence_work(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
		  struct tocsin_error *error)
{
	struct tocsin_error own;
	TC_BUFFER keys = {0};
	TC_RESULT *identity = NULL;
	struct fence fence;

	error = error ? error : &own; /* the SQLSTATE is needed here, whoever else wants it */
	if (!tc_advisory_from(held->locks)->options.work_pool)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"this lock service has no work pool");
	for (const struct tocsin_held *outer = held; outer; outer = outer->outer)
		tc_array_append(&keys, outer->key);
	fence.keys = tc_array_finish(&keys);
	if (!fence.keys)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a fence");
	/* Also tells the server that the lock's holder is alive, which starts its idle timeout anew. */
	if (tc_query(held->connection, &tc_sql_lock_identify, NULL, &identity, error) !=
		    TOCSIN_OK ||
	    PQntuples(identity) != 1)
		return fail_lost(held, error);
	fence.check[0] = fence.keys;
	for (int column = 0; column < 3; column++)
		fence.check[column + 1] = tc_result_get(identity, 0, column);
	return run_fenced(held, &fence, work, userdata, error);
}
