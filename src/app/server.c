/* app/server.c: the wiring: what is made in which order, and stopped in which.
 *
 * Stopping goes against the flow of requests: first nothing comes in and what is in flight is
 * answered, then executor and batchers finish what is queued, then what they all use goes. A watch sees
 * to it that nobody waits without end for a database that does not come to an answer. */
#include "app/server.h"

#include "app/nodes.h"
#include "app/pools.h"
#include "app/procedures.h"
#include "app/stop_watch.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "core/outbox/hints.h"
#include "core/outbox/outbox.h"
#include "http/listen.h"
#include "modules/alert/alert.h"
#include "modules/auth/auth.h"
#include "modules/catalog/catalog.h"
#include "modules/catalog/deleter.h"
#include "modules/event/event.h"
#include "modules/incident/creator.h"
#include "modules/incident/incident.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXECUTOR_THREADS_MAX 32u
#define EXECUTOR_QUEUE_MAX   4096u
/* Two a core, so that one waits for the database while the other's answers are made. A read that takes longer than
 * half a millisecond waits for more than a core. */
#define BRISK_PER_CORE      2u
#define SLOW_US             500u
#define HTTP_BODY_MAX       ((size_t)1024 * 1024)
#define HTTP_IDLE_TIMEOUT_S 75u
/* Requests in flight have so long to finish; what the database still holds up by then is given up, in
 * time to answer 503 rather than to hang up. */
#define PATIENCE_MS      15000u
#define DRAIN_TIMEOUT_MS 20000u

struct tc_server *tc_server_from(struct tc_app *app)
{
	return tc_container_of(app, struct tc_server, app);
}

/* A setting whose value only the start can judge: exit status 78. */
static int blame(struct tc_server *server, const char *setting, int result,
		 struct tocsin_error *error)
{
	char message[TOCSIN_ERROR_MESSAGE_SIZE];

	if (result != TOCSIN_E_INVALID)
		return result;
	server->is_setting_bad = true;
	snprintf(message, sizeof(message), "%s", error->message);
	return tocsin_error_set(error, result, "%s: %.400s", setting, message);
}

static int blame_address(struct tc_server *server, int result, struct tocsin_error *error)
{
	if (result != TOCSIN_E_INVALID)
		return result;
	server->is_setting_bad = true;
	return tc_config_refuse("TOCSIN_LISTEN", server->config->listen, error);
}

int tc_server_open_database(struct tc_server *server, const struct tc_config *config,
			    struct tocsin_error *error)
{
	int result = tc_bind(config->listen, &server->listen_fd, error);

	server->config = config;
	if (result != TOCSIN_OK)
		return blame_address(server, result, error);
	result = tc_database_init(&server->database, config, TC_DATABASE_SERVE, error);
	server->has_database = result == TOCSIN_OK;
	server->is_setting_bad = result == TOCSIN_E_INVALID;
	return result;
}

static int migrate(struct tc_server *server, struct tocsin_error *error)
{
	unsigned applied = 0;
	int result = tc_database_migrate(&server->database, &applied, error);

	if (result == TOCSIN_OK && applied)
		tc_log_info("serve.migrated", "%u migration%s applied", applied,
			    TC_PLURAL(applied));
	return result;
}

/* As many threads as connections: whoever waits for a thread waits for a connection. */
static int open_executor(struct tc_app *app, const struct tc_config *config,
			 struct tocsin_error *error)
{
	const struct tc_executor_watch watch = {.wait_max_ms = config->connection_timeout_ms,
						.brisk_max = BRISK_PER_CORE * tc_thread_cores(),
						.slow_us = SLOW_US};
	int result =
		tc_executor_new(&app->work, "work", TC_MIN(config->pool_max, EXECUTOR_THREADS_MAX),
				EXECUTOR_QUEUE_MAX, error);

	return result == TOCSIN_OK ? tc_executor_watch(app->work, &watch, error) : result;
}

/* The way to the database, and what runs on it. */
static int open_base(struct tc_server *server, struct tocsin_error *error)
{
	const struct tc_config *config = server->config;
	const char *conninfo = server->database.conninfo;
	struct tc_app *app = &server->app;
	struct tocsin_locks_options locks = {.wait_timeout_ms = config->lock_timeout_ms,
					     .idle_tx_timeout_ms = config->lock_idle_tx_timeout_ms};
	int result = tc_pools_new(&app->work_pool, config, conninfo, TOCSIN_POOL_WORK, 0, error);

	if (result == TOCSIN_OK)
		result =
			tc_pools_new(&app->lock_pool, config, conninfo, TOCSIN_POOL_LOCK, 0, error);
	locks.work_pool = app->work_pool;
	locks.lock_pool = app->lock_pool;
	if (result == TOCSIN_OK)
		result = tocsin_locks_new(&app->locks, &locks, error);
	if (result == TOCSIN_OK)
		result = open_executor(app, config, error);
	if (result == TOCSIN_OK)
		result = tc_hints_new(&app->hints, conninfo, error);
	return result;
}

static int open_auth(struct tc_server *server, struct tocsin_error *error)
{
	struct tc_app *app = &server->app;
	const struct tc_config *config = server->config;
	const struct tc_auth_options options = {.work_pool = app->work_pool,
						.hints = app->hints,
						.anonymous_read = config->anonymous_read,
						.cookie_secure = config->cookie_secure,
						.trust_proxy = config->trust_proxy,
						.session_hours = config->session_hours};
	char key[TC_AUTH_KEY_SIZE] = "";
	int result = tc_auth_new(&app->auth, &options, error);

	if (result == TOCSIN_OK)
		result = blame(
			server, "TOCSIN_ADMIN_KEY",
			tc_auth_ensure_admin(app->work_pool, server->config->admin_key, key, error),
			error);
	if (result != TOCSIN_OK || !key[0])
		return result;
	/* At once: should the rest of the start fail, it would never be seen. */
	printf("Admin key, shown only now: %s\n", key);
	if (fflush(stdout) != 0)
		return tocsin_error_set(
			error, TOCSIN_E_SYSTEM,
			"cannot write the admin key to standard output; make another with "
			"tocsin key create --role=admin NAME");
	return TOCSIN_OK;
}

/* The batchers share the lock pool; with a small one each has less of it. Nobody may wait for a contended key
 * on what could be the last connection: below four there are no waiters, and workers try such keys again. Deletions
 * are rare: they have a waiter only where two workers of each of the others are left beside it. */
static int open_modules(struct tc_server *server, struct tocsin_error *error)
{
	const struct tc_config *config = server->config;
	struct tc_app *app = &server->app;
	unsigned workers = config->lock_pool_max < 8 ? 1 : 2;
	unsigned rest =
		config->lock_pool_max > 2 * workers ? config->lock_pool_max - 2 * workers : 0;
	unsigned waiters = rest / 2;
	struct tc_incident_creator_options creator = {
		.lock_pool = app->lock_pool,
		.workers = workers,
		.waiters_max = waiters,
		.wait_timeout_ms = config->lock_timeout_ms,
		.reject_unknown_systems = config->reject_unknown_systems,
	};
	struct tc_alert_intake_options alerts = {
		.lock_pool = app->lock_pool,
		.system_labels = config->alert_system_labels,
		.auto_resolve = config->alert_auto_resolve,
		.reject_unknown_systems = config->reject_unknown_systems,
		.workers = workers,
		.waiters_max = waiters,
		.wait_timeout_ms = config->lock_timeout_ms,
	};
	struct tc_catalog_deleter_options deleter = {
		.work_pool = app->work_pool,
		.lock_pool = app->lock_pool,
		.waiters_max = workers > 1 ? 1 : 0,
		.wait_timeout_ms = config->lock_timeout_ms,
	};
	struct tc_nodes_options nodes = {.work_pool = app->work_pool,
					 .outbox = app->outbox,
					 .pool_max = config->pool_max,
					 .lock_pool_max = config->lock_pool_max};
	int result = tc_incident_creator_new(&app->creator, &creator, error);

	app->reject_unknown_systems = config->reject_unknown_systems;
	if (result == TOCSIN_OK)
		result = tc_alert_intake_new(&app->alerts, &alerts, error);
	if (result == TOCSIN_OK)
		result = tc_catalog_deleter_new(&app->deleter, &deleter, error);
	if (result == TOCSIN_OK)
		result = tc_nodes_new(&server->nodes, &nodes, error);
	return result;
}

unsigned tc_server_connections_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return TC_SERVER_CONNECTIONS_MAX;
	if (limit.rlim_cur <= 2 * (rlim_t)TC_SERVER_OTHER_FILES_MAX)
		return (unsigned)limit.rlim_cur / 2;
	return (unsigned)TC_MIN(limit.rlim_cur - TC_SERVER_OTHER_FILES_MAX,
				TC_SERVER_CONNECTIONS_MAX);
}

static void on_commit(struct tc_app *app)
{
	tc_outbox_committed(app->outbox);
}

static int open_http(struct tc_server *server, struct tocsin_error *error)
{
	struct tc_router_options router = {.tables = tc_procedure_tables,
					   .tables_count = tc_procedure_tables_count,
					   .app = &server->app,
					   .authenticate = tc_auth_authenticate,
					   .work = server->app.work,
					   .cache = server->app.cache,
					   .work_pool = server->app.work_pool,
					   .committed = on_commit};
	struct tc_http_options http = {.listen = server->config->listen,
				       .bound_fd = &server->listen_fd,
				       .max_body = HTTP_BODY_MAX,
				       .max_connections = tc_server_connections_max(),
				       .idle_timeout_s = HTTP_IDLE_TIMEOUT_S,
				       .handler = tc_router_handle};
	struct tc_http_server *made = NULL;
	int result = tc_router_new(&server->router, &router, error);

	if (result != TOCSIN_OK)
		return result;
	http.userdata = server->router;
	result = tc_http_server_new(&made, &http, error);
	server->http = made;
	return blame_address(server, result, error);
}

int tc_server_open(struct tc_server *server, struct tocsin_error *error)
{
	static int (*const steps[])(struct tc_server *,
				    struct tocsin_error *) = {migrate,
							      open_base,
							      open_auth,
							      tc_server_open_events,
							      tc_server_open_cache,
							      open_modules,
							      tc_server_start_events,
							      tc_server_open_openapi,
							      open_http};
	int result = TOCSIN_OK;

	for (size_t i = 0; i < TC_ARRAY_LENGTH(steps) && result == TOCSIN_OK; i++)
		result = steps[i](server, error);
	return result;
}

void tc_server_close(struct tc_server *server)
{
	struct tc_app *app = &server->app;
	struct tc_stop_watch *watch = tc_stop_watch_new(
		(struct tocsin_pool *const[]){app->work_pool, app->lock_pool, server->event_pool},
		3, PATIENCE_MS);

	if (server->listen_fd >= 0)
		close(server->listen_fd);
	server->listen_fd = -1;
	server->http = tc_http_server_free(server->http, DRAIN_TIMEOUT_MS);
	if (app->auth)
		tc_auth_stop(app->auth); /* it hands over to the work executor */
	tc_executor_stop(app->work);     /* and so do these, should they have something left */
	app->alerts = tc_alert_intake_free(app->alerts);
	app->deleter = tc_catalog_deleter_free(app->deleter);
	app->creator = tc_incident_creator_free(app->creator);
	app->hints = tc_hints_free(app->hints); /* they make work */
	app->work = tc_executor_free(app->work);
	server->router = tc_router_free(server->router);
	tc_buffer_deinit(&server->openapi);
	tc_buffer_deinit(&server->docs);
	server->nodes = tc_nodes_free(server->nodes);
	tc_server_close_events(server);
	app->auth = tc_auth_free(app->auth);
	app->locks = tocsin_locks_free(app->locks);
	tc_stop_watch_free(watch);
	server->event_pool = tocsin_pool_free(server->event_pool);
	app->lock_pool = tocsin_pool_free(app->lock_pool);
	app->work_pool = tocsin_pool_free(app->work_pool);
	if (server->has_database)
		tc_database_deinit(&server->database);
	server->has_database = false;
}
