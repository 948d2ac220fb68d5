/* pg/rank.c: see rank.h. Thread-local, so it costs two loads and takes no lock. */
#include "pg/rank.h"

#include "pg/connection.h"

static _Thread_local const struct tocsin_connection *held[TOCSIN_POOL_WORK + 1];

static int refuse(const struct tocsin_pool *wanted, const struct tocsin_connection *holding,
		  const char *advice, struct tocsin_error *error)
{
	return tocsin_error_set(
		error, TOCSIN_E_RANK,
		"circular acquisition: a connection of pool '%s' was wanted while this operation "
		"holds one of pool '%s'; %s",
		tc_pool_name(wanted), tc_pool_name(holding->pool), advice);
}

int tc_rank_check(const struct tocsin_pool *pool, struct tocsin_error *error)
{
	if (held[TOCSIN_POOL_WORK])
		return refuse(pool, held[TOCSIN_POOL_WORK],
			      "take the lock before the work, and one work connection an operation",
			      error);
	if (tc_pool_purpose(pool) == TOCSIN_POOL_LOCK && held[TOCSIN_POOL_LOCK])
		return refuse(pool, held[TOCSIN_POOL_LOCK],
			      "nest further keys on the connection that is held (tocsin_lock_nest)",
			      error);
	return TOCSIN_OK;
}

int tc_rank_check_nested(const struct tocsin_pool *lock_pool, struct tocsin_error *error)
{
	if (held[TOCSIN_POOL_WORK])
		return refuse(lock_pool, held[TOCSIN_POOL_WORK], "take every key before the work",
			      error);
	return TOCSIN_OK;
}

void tc_rank_enter(const struct tocsin_connection *connection)
{
	held[tc_pool_purpose(connection->pool)] = connection;
}

void tc_rank_leave(const struct tocsin_connection *connection)
{
	enum tocsin_pool_purpose purpose = tc_pool_purpose(connection->pool);

	if (held[purpose] == connection)
		held[purpose] = NULL;
}
