/* support/node.c: see node.h. */
#include "support/node.h"

#include "support/crew.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define CONNECTIONS_DEFAULT 4

static unsigned or_else(unsigned value, unsigned fallback)
{
	return value ? value : fallback;
}

void tc_node_init(struct tc_node *node, const char *conninfo, const char *name,
		  const struct tc_node_options *options)
{
	static const struct tc_node_options defaults;
	const struct tc_node_options *chosen = options ? options : &defaults;
	unsigned wait_ms = or_else(chosen->wait_timeout_ms, TC_PATIENCE_MS);
	struct tocsin_pool_options pool = {
		.conninfo = conninfo,
		.connection_timeout_ms = or_else(chosen->connection_timeout_ms, TC_PATIENCE_MS),
		.idle_timeout_ms = TC_PATIENCE_MS,
	};
	struct tocsin_error error;

	*node = (struct tc_node){0};
	snprintf(node->lock_name, sizeof(node->lock_name), "%s-lock", name);
	snprintf(node->work_name, sizeof(node->work_name), "%s-work", name);
	pool.name = node->work_name;
	pool.purpose = TOCSIN_POOL_WORK;
	pool.max = or_else(chosen->work_max, CONNECTIONS_DEFAULT);
	assert_ok(tocsin_pool_new(&node->work_pool, &pool, &error));
	pool.name = node->lock_name;
	pool.purpose = TOCSIN_POOL_LOCK;
	pool.max = or_else(chosen->lock_max, CONNECTIONS_DEFAULT);
	pool.idle_tx_timeout_ms = chosen->lock_idle_tx_timeout_ms;
	pool.lock_timeout_ms = wait_ms;
	assert_ok(tocsin_pool_new(&node->lock_pool, &pool, &error));
	assert_ok(tocsin_locks_new(&node->locks,
				   &(struct tocsin_locks_options){
					   .lock_pool = node->lock_pool,
					   .work_pool = node->work_pool,
					   .wait_timeout_ms = wait_ms,
					   .idle_tx_timeout_ms = chosen->work_idle_tx_timeout_ms},
				   &error));
}

struct tocsin_pool_stats tc_pool_stats(struct tocsin_pool *pool)
{
	struct tocsin_pool_stats stats;

	tocsin_pool_get_stats(pool, &stats);
	return stats;
}

struct tocsin_locks_stats tc_locks_stats(struct tocsin_locks *locks)
{
	struct tocsin_locks_stats stats;

	tocsin_locks_get_stats(locks, &stats);
	return stats;
}

struct expected {
	struct tocsin_pool *pool;
	struct tocsin_locks *locks;
	unsigned count;
};

static bool has_waiters(void *argument)
{
	const struct expected *expected = argument;

	if (expected->pool)
		return tc_pool_stats(expected->pool).waiting == expected->count;
	return tc_locks_stats(expected->locks).waiting == expected->count;
}

bool tc_wait_for_pool_waiters(struct tocsin_pool *pool, unsigned count)
{
	return tc_wait_until(has_waiters, &(struct expected){.pool = pool, .count = count});
}

bool tc_wait_for_key_waiters(struct tocsin_locks *locks, unsigned count)
{
	return tc_wait_until(has_waiters, &(struct expected){.locks = locks, .count = count});
}

static unsigned count_busy(struct tocsin_pool *pool)
{
	struct tocsin_pool_stats stats = tc_pool_stats(pool);

	return stats.in_use + stats.connecting + stats.waiting;
}

static bool is_pool_quiet(void *argument)
{
	return count_busy(argument) == 0;
}

static bool is_node_quiet(void *argument)
{
	const struct tc_node *node = argument;
	struct tocsin_locks_stats stats = tc_locks_stats(node->locks);

	/* The session locks' connection is the service's own. */
	return stats.waiting == 0 && count_busy(node->work_pool) == 0 &&
	       count_busy(node->lock_pool) <= (stats.sessions > 0);
}

void tc_pool_dispose(struct tocsin_pool *pool)
{
	if (pool && tc_wait_briefly(is_pool_quiet, pool))
		tocsin_pool_free(pool);
	else if (pool)
		fprintf(stderr, "# a pool is still in use, and left alone\n");
}

void tc_node_deinit(struct tc_node *node)
{
	if (node->locks && !tc_wait_briefly(is_node_quiet, node)) {
		fprintf(stderr, "# %s and %s are still in use, and left alone\n", node->lock_name,
			node->work_name);
	} else {
		tocsin_locks_free(node->locks);
		tocsin_pool_free(node->lock_pool);
		tocsin_pool_free(node->work_pool);
	}
	*node = (struct tc_node){0};
}

int tc_held_nothing(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	(void)held;
	(void)userdata;
	(void)error;
	return TOCSIN_OK;
}

int tc_work_nothing(struct tocsin_connection *connection, void *userdata,
		    struct tocsin_error *error)
{
	(void)connection;
	(void)userdata;
	(void)error;
	return TOCSIN_OK;
}
