/* pg/transaction.c: the one function that begins, commits, rolls back and retries. */
#include "pg/transaction.h"
#include "pg/join.h"
#include "pg/query.h"

#include "sql_lib.h"
#include <string.h>

int tc_transaction_commit(struct tocsin_connection *connection, struct tocsin_error *error)
{
	TC_RESULT *result = NULL;
	int code = tc_query(connection, &tc_sql_pg_commit, NULL, &result, error);

	/* COMMIT of a failed transaction succeeds, and says ROLLBACK. */
	if (code == TOCSIN_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
		return tocsin_error_set(error, TOCSIN_E_DATABASE,
					"the transaction had failed, though its work returned "
					"success; it was rolled back");
	return code;
}

void tc_transaction_rollback(struct tocsin_connection *connection)
{
	/* Should this fail, the connection is dirty or dead, and release closes it. */
	if (PQtransactionStatus(connection->pg) != PQTRANS_IDLE)
		tc_query(connection, &tc_sql_pg_rollback, NULL, NULL, NULL);
}

/* Once, as a piece of the transaction that is open on a joined connection. *ret_again as below. */
static int attempt_piece(struct tocsin_connection *connection, tocsin_work_fn work, void *userdata,
			 bool *ret_again, struct tocsin_error *error)
{
	int code = tc_query(connection, &tc_sql_pg_savepoint, NULL, NULL, error);

	if (code != TOCSIN_OK)
		return code;
	code = work(connection, userdata, error);
	if (code == TOCSIN_OK)
		return tc_query(connection, &tc_sql_pg_release_savepoint, NULL, NULL, error);
	*ret_again =
		(code == TOCSIN_E_RETRY || code == TOCSIN_E_DEADLOCK) && !connection->is_broken;
	/* Should one of these fail, the whole transaction can only be rolled back, and will be. */
	if (tc_query(connection, &tc_sql_pg_rollback_savepoint, NULL, NULL, NULL) != TOCSIN_OK ||
	    tc_query(connection, &tc_sql_pg_release_savepoint, NULL, NULL, NULL) != TOCSIN_OK)
		*ret_again = false;
	return code;
}

/* Once. *ret_again: nothing was done, and the same may succeed. */
static int attempt(struct tocsin_pool *pool, tocsin_work_fn work, void *userdata, bool *ret_again,
		   struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	int code = tocsin_pool_acquire(pool, &connection, error);

	if (code != TOCSIN_OK)
		return code;
	code = tc_query(connection, &tc_sql_pg_begin, NULL, NULL, error);
	if (code != TOCSIN_OK) {
		*ret_again = code == TOCSIN_E_UNAVAILABLE; /* died between the look and the use */
		return code;
	}
	code = work(connection, userdata, error);
	if (code == TOCSIN_OK)
		code = tc_transaction_commit(connection, error);
	else
		tc_transaction_rollback(connection);
	*ret_again = code == TOCSIN_E_RETRY || code == TOCSIN_E_DEADLOCK;
	return code;
}

int tocsin_pool_transact(struct tocsin_pool *pool, tocsin_work_fn work, void *userdata,
			 struct tocsin_error *error)
{
	struct tocsin_connection *joined = tc_join_get();
	bool again = false;
	int code = TOCSIN_OK;

	for (unsigned i = 0; i < TOCSIN_TRANSACTION_ATTEMPTS; i++) {
		again = false;
		code = joined && joined->pool == pool
			       ? attempt_piece(joined, work, userdata, &again, error)
			       : attempt(pool, work, userdata, &again, error);
		if (!again)
			break;
	}
	return code;
}
