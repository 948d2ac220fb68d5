/* app/nodes.c: see nodes.h. Locking: `mutex` guards `status` and `must_stop`; the rest is the thread's,
 * or constant. */
#include "app/nodes.h"

#include "app/pools.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "base/uuid.h"
#include "core/outbox/outbox.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The listener for hints, and what events have to themselves. */
#define OTHER_CONNECTIONS (1u + TC_POOLS_EVENTS_MAX)

struct tc_nodes {
	struct tc_nodes_options options;
	char id[TC_UUID_SIZE], host[256], process[16], connections[16];
	bool has_warned;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t stop;
	bool must_stop;
	struct tc_nodes_status status;
};

static long number_of(const PGresult *result, int column)
{
	return strtol(PQgetvalue(result, 0, column), NULL, 10);
}

/* Tells that we are there, and asks how things are. */
static int beat(struct tc_nodes *nodes, struct tc_nodes_status *ret_status,
		struct tocsin_error *error)
{
	const char *const values[] = {nodes->id, nodes->host, nodes->process, nodes->connections};
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	TC_RESULT *budget = NULL;
	struct tc_nodes_status status = {.is_known = true};
	struct tc_event_position position = {0};
	int result = tocsin_pool_acquire(nodes->options.work_pool, &connection, error);

	if (result == TOCSIN_OK)
		result = tc_query(connection, &tc_sql_app_node_beat, values, NULL, error);
	if (result == TOCSIN_OK)
		result = tc_query(connection, &tc_sql_app_node_budget, NULL, &budget, error);
	if (nodes->options.outbox)
		position = tc_outbox_position(nodes->options.outbox);
	if (result == TOCSIN_OK)
		result = tc_events_get_lags(connection, &position, status.lags, &status.lags_count,
					    error);
	if (result != TOCSIN_OK)
		return result;
	status.nodes = number_of(budget, 0);
	status.connections_wanted = number_of(budget, 1);
	status.connections_available = number_of(budget, 2);
	*ret_status = status;
	return TOCSIN_OK;
}

static void warn(struct tc_nodes *nodes, const struct tc_nodes_status *status)
{
	bool is_too_much = status->connections_wanted > status->connections_available;

	if (is_too_much && !nodes->has_warned)
		tc_log_warning(
			"nodes.connections",
			"%ld node%s may open %ld connections, but the database server has %ld for "
			"them: "
			"raise its max_connections by %ld, or lower DATABASE_POOL_MAX (%u here) or "
			"DATABASE_LOCK_POOL_MAX (%u here)",
			status->nodes, TC_PLURAL(status->nodes), status->connections_wanted,
			status->connections_available,
			status->connections_wanted - status->connections_available,
			nodes->options.pool_max, nodes->options.lock_pool_max);
	nodes->has_warned = is_too_much;
}

static void keep(struct tc_nodes *nodes, const struct tc_nodes_status *status)
{
	TC_LOCKED(&nodes->mutex);
	nodes->status = *status;
}

/* True when it is time to stop, false when it is time for the next beat. */
static bool wait_for_beat(struct tc_nodes *nodes)
{
	TC_LOCKED(&nodes->mutex);
	uint64_t deadline_ms = tc_clock_ms() + TC_NODES_BEAT_MS;

	while (!nodes->must_stop && tc_cond_wait_until(&nodes->stop, &nodes->mutex, deadline_ms))
		;
	return nodes->must_stop;
}

static void *run(void *argument)
{
	struct tc_nodes *nodes = argument;

	while (!wait_for_beat(nodes)) {
		struct tc_nodes_status status = {0};
		struct tocsin_error error;

		if (beat(nodes, &status, &error) == TOCSIN_OK)
			warn(nodes, &status);
		else
			tc_log_warning("nodes.beat",
				       "cannot tell the database that this node is there: %s",
				       error.message);
		keep(nodes, &status);
	}
	return NULL;
}

int tc_nodes_new(struct tc_nodes **ret_nodes, const struct tc_nodes_options *options,
		 struct tocsin_error *error)
{
	struct tc_nodes *nodes = calloc(1, sizeof(*nodes));
	int result;

	if (!nodes)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	nodes->options = *options;
	tc_uuid_new(nodes->id);
	if (gethostname(nodes->host, sizeof(nodes->host) - 1) < 0)
		snprintf(nodes->host, sizeof(nodes->host), "unknown");
	snprintf(nodes->process, sizeof(nodes->process), "%d", (int)getpid());
	snprintf(nodes->connections, sizeof(nodes->connections), "%u",
		 options->pool_max + options->lock_pool_max + OTHER_CONNECTIONS);
	tc_mutex_init(&nodes->mutex);
	tc_cond_init(&nodes->stop);
	result = beat(nodes, &nodes->status, error);
	if (result == TOCSIN_OK) {
		warn(nodes, &nodes->status);
		result = tc_thread_start(&nodes->thread, "nodes", run, nodes, error);
	}
	if (result != TOCSIN_OK) {
		pthread_cond_destroy(&nodes->stop);
		pthread_mutex_destroy(&nodes->mutex);
		free(nodes);
		return result;
	}
	*ret_nodes = nodes;
	return TOCSIN_OK;
}

/* A node that cannot say so is taken for gone after a minute. */
static void leave(struct tc_nodes *nodes)
{
	const char *const values[] = {nodes->id};
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	struct tocsin_error error;
	int result = tocsin_pool_acquire(nodes->options.work_pool, &connection, &error);

	if (result == TOCSIN_OK)
		result = tc_query(connection, &tc_sql_app_node_leave, values, NULL, &error);
	if (result != TOCSIN_OK)
		tc_log_info("nodes.leave", "cannot tell the database that this node stops: %s",
			    error.message);
}

static void tell_to_stop(struct tc_nodes *nodes)
{
	TC_LOCKED(&nodes->mutex);
	nodes->must_stop = true;
	pthread_cond_signal(&nodes->stop);
}

struct tc_nodes *tc_nodes_free(struct tc_nodes *nodes)
{
	if (!nodes)
		return NULL;
	tell_to_stop(nodes);
	pthread_join(nodes->thread, NULL);
	leave(nodes);
	pthread_cond_destroy(&nodes->stop);
	pthread_mutex_destroy(&nodes->mutex);
	free(nodes);
	return NULL;
}

void tc_nodes_get_status(struct tc_nodes *nodes, struct tc_nodes_status *ret_status)
{
	TC_LOCKED(&nodes->mutex);
	*ret_status = nodes->status;
}
