/* pg/pool.c: the pool.
 *
 * Model. Each of at most `max` connections is in one of three places: connecting (counted only),
 * idle (in the idle list, most recently used first), or in use. A caller that finds none queues as a
 * waiter; it leaves the queue with a grant (a connection, or leave to open one) or at its deadline.
 *
 * Invariants, under `mutex`: open = connecting + idle + in_use <= max. If somebody waits, nothing is
 * idle and open = max. A grant moves the place from the giver to the waiter in one step. */
#include "base/clock.h"
#include "pg/join.h"
#include "pg/pool_internal.h"
#include "pg/rank.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
	struct tc_list node; /* in pool->waiters until granted */
	pthread_cond_t cond;
	bool is_granted;
	struct tocsin_connection *connection; /* NULL with a grant: open one */
};

TC_DEFINE_CLEANUP(struct tocsin_pool *, tocsin_pool_free);

const char *tc_pool_name(const struct tocsin_pool *pool)
{
	return pool->name;
}

enum tocsin_pool_purpose tc_pool_purpose(const struct tocsin_pool *pool)
{
	return pool->options.purpose;
}

void tc_pool_report_died(struct tocsin_pool *pool)
{
	if (pool->options.notice)
		pool->options.notice(
			TOCSIN_POOL_CONNECTION_DIED, pool->name,
			"the server closed an idle connection; a new one is opened on demand",
			pool->options.userdata);
}

/* Under the mutex: a place came free; its first waiter may open a connection. */
static void grant_place(struct tocsin_pool *pool)
{
	struct tc_list *node = tc_list_pop_front(&pool->waiters);

	if (node) {
		struct waiter *waiter = tc_list_entry(node, struct waiter, node);

		waiter->is_granted = true;
		pool->open++;
		pool->stats.connecting++;
		pthread_cond_signal(&waiter->cond);
	}
	if (pool->open == 0)
		pthread_cond_broadcast(&pool->drained);
}

/* Under the mutex: takes an open connection out of the pool; the caller closes it unlocked. */
void tc_pool_forget(struct tocsin_pool *pool, struct tocsin_connection *connection)
{
	tc_list_remove(&connection->all);
	pool->open--;
	pool->stats.closed++;
	grant_place(pool);
}

/* Under the mutex. */
static void count_use(struct tocsin_pool *pool)
{
	pool->stats.in_use++;
	pool->stats.acquired++;
}

/* --- making and freeing --- */

static int check_options(const struct tocsin_pool_options *options, struct tocsin_error *error)
{
	if (!options->name || !*options->name || strlen(options->name) >= TC_POOL_NAME_SIZE)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a pool's name must have 1 to %d bytes",
					TC_POOL_NAME_SIZE - 1);
	if (options->max < 1 || options->max > TOCSIN_POOL_MAX)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"pool '%s': max must be 1 to %u, not %u", options->name,
					TOCSIN_POOL_MAX, options->max);
	if (!options->conninfo || options->connection_timeout_ms == 0 ||
	    options->idle_timeout_ms == 0)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"pool '%s': conninfo, connection_timeout_ms and idle_timeout_ms are needed",
			options->name);
	return TOCSIN_OK;
}

int tocsin_pool_new(struct tocsin_pool **ret_pool, const struct tocsin_pool_options *options,
		    struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_free) struct tocsin_pool *pool = NULL;
	int code = check_options(options, error);

	if (code != TOCSIN_OK)
		return code;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a pool");
	pool->options = *options;
	pool->epoll_fd = pool->stop_fd = -1;
	pool->stats.max = options->max;
	snprintf(pool->name, sizeof(pool->name), "%s", options->name);
	tc_mutex_init(&pool->mutex);
	tc_cond_init(&pool->drained);
	tc_list_init(&pool->idle);
	tc_list_init(&pool->all);
	tc_list_init(&pool->waiters);
	pool->conninfo = strdup(options->conninfo);
	if (!pool->conninfo)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a pool");
	code = tc_pool_start_watcher(pool, error);
	if (code != TOCSIN_OK)
		return code;
	*ret_pool = tc_take(pool);
	return TOCSIN_OK;
}

void tocsin_pool_close(struct tocsin_pool *pool)
{
	TC_LOCKED(&pool->mutex);

	pool->is_closed = true;
	tc_list_each (node, &pool->waiters)
		pthread_cond_signal(&tc_list_entry(node, struct waiter, node)->cond);
}

static void close_idle(struct tocsin_pool *pool)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(&pool->idle))) {
		struct tocsin_connection *connection =
			tc_list_entry(node, struct tocsin_connection, node);

		pool->stats.idle--;
		tc_pool_forget(pool, connection);
		tc_connection_close(connection);
	}
}

struct tocsin_pool *tocsin_pool_free(struct tocsin_pool *pool)
{
	if (!pool)
		return NULL;
	tocsin_pool_close(pool);
	tc_mutex_lock(&pool->mutex);
	close_idle(pool);
	while (pool->open > 0 || !tc_list_is_empty(&pool->waiters))
		tc_cond_wait(&pool->drained, &pool->mutex);
	tc_mutex_unlock(&pool->mutex);
	tc_pool_stop_watcher(pool); /* last: who was connecting needs its epoll */
	pthread_cond_destroy(&pool->drained);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->conninfo);
	free(pool);
	return NULL;
}

/* --- acquiring --- */

static int fail_closed(const struct tocsin_pool *pool, struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_CLOSED, "pool '%s' is shutting down", pool->name);
}

static int fail_timeout(const struct tocsin_pool *pool, struct tocsin_error *error)
{
	return tocsin_error_set(
		error, TOCSIN_E_TIMEOUT,
		"no connection of pool '%s' came free within %u ms (%u of %u are in use)",
		pool->name, pool->options.connection_timeout_ms, pool->options.max,
		pool->options.max);
}

/* Under the mutex. Waits in the queue for a grant. */
static int wait_for_grant(struct tocsin_pool *pool, uint64_t deadline_ms,
			  struct tocsin_connection **ret_connection, struct tocsin_error *error)
{
	struct waiter waiter = {.is_granted = false};
	uint64_t start_us = tc_clock_us();
	bool in_time = true;

	tc_cond_init(&waiter.cond);
	tc_list_push_back(&pool->waiters, &waiter.node);
	pool->stats.waiting++;
	pool->stats.waited++;
	while (!waiter.is_granted && in_time && !pool->is_closed)
		in_time = tc_cond_wait_until(&waiter.cond, &pool->mutex, deadline_ms);
	tc_list_remove(&waiter.node);
	pool->stats.waiting--;
	pool->stats.wait_us += tc_clock_us() - start_us;
	pthread_cond_destroy(&waiter.cond);
	if (waiter.is_granted) {
		*ret_connection = waiter.connection;
		return TOCSIN_OK;
	}
	if (pool->is_closed) {
		pthread_cond_broadcast(&pool->drained);
		return fail_closed(pool, error);
	}
	pool->stats.timeouts++;
	return fail_timeout(pool, error);
}

/* Under the mutex. Takes a live idle connection; moves dead ones to `dead`. */
static struct tocsin_connection *take_idle(struct tocsin_pool *pool, struct tc_list *dead)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(&pool->idle))) {
		struct tocsin_connection *connection =
			tc_list_entry(node, struct tocsin_connection, node);

		pool->stats.idle--;
		if (tc_connection_is_alive(connection)) {
			count_use(pool);
			return connection;
		}
		pool->stats.died++;
		tc_pool_forget(pool, connection);
		tc_list_push_back(dead, &connection->node);
	}
	return NULL;
}

/* Under the mutex. Leaves with a connection in use, or with NULL and a place counted as connecting. */
static int take_or_wait(struct tocsin_pool *pool, uint64_t deadline_ms, struct tc_list *dead,
			struct tocsin_connection **ret_connection, struct tocsin_error *error)
{
	if (pool->is_closed)
		return fail_closed(pool, error);
	if (tc_list_is_empty(&pool->waiters)) {
		*ret_connection = take_idle(pool, dead);
		if (*ret_connection)
			return TOCSIN_OK;
		if (pool->open < pool->options.max) {
			pool->open++;
			pool->stats.connecting++;
			return TOCSIN_OK;
		}
	}
	return wait_for_grant(pool, deadline_ms, ret_connection, error);
}

static void bury(struct tocsin_pool *pool, struct tc_list *dead)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(dead))) {
		tc_pool_report_died(pool);
		tc_connection_close(tc_list_entry(node, struct tocsin_connection, node));
	}
}

/* Without the mutex. Turns a place counted as connecting into a connection in use. */
static int open_connection(struct tocsin_pool *pool, uint64_t deadline_ms,
			   struct tocsin_connection **ret_connection, struct tocsin_error *error)
{
	const struct tc_connection_settings settings = {
		.conninfo = pool->conninfo,
		.application_name = pool->name,
		.idle_tx_timeout_ms = pool->options.idle_tx_timeout_ms,
		.lock_timeout_ms = pool->options.lock_timeout_ms,
		.has_generic_plans = pool->options.has_generic_plans,
		.avoids_seq_scans = pool->options.avoids_seq_scans,
	};
	struct tocsin_connection *connection = NULL;
	int code = tc_connection_open(&connection, &settings, deadline_ms, error);

	TC_LOCKED(&pool->mutex);
	pool->stats.connecting--;
	if (code != TOCSIN_OK) {
		pool->open--;
		grant_place(pool);
		return code;
	}
	connection->pool = pool;
	connection->id = pool->next_id++;
	tc_list_push_back(&pool->all, &connection->all);
	pool->stats.opened++;
	count_use(pool);
	tc_pool_watch(pool, connection);
	*ret_connection = connection;
	return TOCSIN_OK;
}

int tocsin_pool_acquire(struct tocsin_pool *pool, struct tocsin_connection **ret_connection,
			struct tocsin_error *error)
{
	uint64_t deadline_ms = tc_clock_ms() + pool->options.connection_timeout_ms;
	struct tocsin_connection *connection = NULL, *joined = tc_join_get();
	struct tc_list dead;
	int code;

	if (joined && joined->pool == pool) {
		*ret_connection = joined;
		return TOCSIN_OK;
	}
	code = tc_rank_check(pool, error);
	if (code != TOCSIN_OK)
		return code;
	tc_list_init(&dead);
	tc_mutex_lock(&pool->mutex);
	code = take_or_wait(pool, deadline_ms, &dead, &connection, error);
	tc_mutex_unlock(&pool->mutex);
	bury(pool, &dead);
	if (code == TOCSIN_OK && !connection)
		code = open_connection(pool, deadline_ms, &connection, error);
	if (code != TOCSIN_OK)
		return code;
	tc_rank_enter(connection);
	*ret_connection = connection;
	return TOCSIN_OK;
}

/* --- releasing --- */

static bool is_reusable(const struct tocsin_connection *connection)
{
	return !connection->is_broken && PQstatus(connection->pg) == CONNECTION_OK &&
	       PQtransactionStatus(connection->pg) == PQTRANS_IDLE &&
	       PQpipelineStatus(connection->pg) == PQ_PIPELINE_OFF;
}

/* Under the mutex. */
static void hand_on(struct tocsin_pool *pool, struct tocsin_connection *connection)
{
	struct tc_list *node = tc_list_pop_front(&pool->waiters);

	if (node) {
		struct waiter *waiter = tc_list_entry(node, struct waiter, node);

		waiter->is_granted = true;
		waiter->connection = connection;
		count_use(pool);
		pthread_cond_signal(&waiter->cond);
		return;
	}
	connection->idle_since_ms = tc_clock_ms();
	tc_list_push_front(&pool->idle, &connection->node);
	pool->stats.idle++;
}

/* Under the mutex. Where one connection died, those that were idle may be dying too, though nothing
 * shows yet: the next callers get new ones, rather than a dead one an attempt. */
static void distrust_idle(struct tocsin_pool *pool, struct tc_list *suspects)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(&pool->idle))) {
		pool->stats.idle--;
		tc_pool_forget(pool, tc_list_entry(node, struct tocsin_connection, node));
		tc_list_push_back(suspects, node);
	}
}

struct tocsin_connection *tocsin_pool_release(struct tocsin_connection *connection)
{
	struct tocsin_pool *pool;
	struct tc_list unwanted, *node;

	if (!connection || connection == tc_join_get())
		return NULL;
	pool = connection->pool;
	tc_list_init(&unwanted);
	tc_rank_leave(connection);
	tc_mutex_lock(&pool->mutex);
	pool->stats.in_use--;
	if (connection->is_broken || PQstatus(connection->pg) != CONNECTION_OK)
		distrust_idle(pool, &unwanted);
	if (!pool->is_closed && is_reusable(connection)) {
		hand_on(pool, connection);
	} else {
		tc_pool_forget(pool, connection);
		tc_list_push_back(&unwanted, &connection->node);
	}
	tc_mutex_unlock(&pool->mutex);
	while ((node = tc_list_pop_front(&unwanted)))
		tc_connection_close(tc_list_entry(node, struct tocsin_connection, node));
	return NULL;
}

PGconn *tocsin_connection_pg(const struct tocsin_connection *connection)
{
	return connection->pg;
}

void tocsin_pool_get_stats(struct tocsin_pool *pool, struct tocsin_pool_stats *ret_stats)
{
	TC_LOCKED(&pool->mutex);

	*ret_stats = pool->stats;
}
