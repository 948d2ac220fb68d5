/* app/server_events.c: the wiring of the outbox: who reads events, and who is told of commits. */
#include "app/pools.h"
#include "app/server.h"
#include "base/log.h"
#include "core/cache/cache.h"
#include "core/outbox/event_reader.h"
#include "core/outbox/event_retention.h"
#include "core/outbox/hints.h"
#include "core/outbox/outbox.h"
#include "core/procedure/idempotency.h"
#include "modules/event/event.h"
#include "modules/event/live.h"
#include "sql_app.h"

/* The rest of the connections is for requests. */
#define STREAMS_MAX(connections) ((connections) / 4 * 3)

/* After authentication, which subscribed before: who comes back is judged anew. A hint that names nobody comes
 * after a loss of hints: then those whose streams are open are looked up, and only those end whose rights have
 * changed, because all who know us coming back at once would be a storm. */
static void on_access(const char *id, void *userdata)
{
	struct tc_app *app = userdata;

	if (id)
		tc_event_live_end_access(app->live, id);
	else
		tc_event_live_recheck(app->live);
}

/* Otherwise whoever runs us learns of the limit when streams are refused. */
static void warn_of_limit(unsigned connections)
{
	if (connections < TC_SERVER_CONNECTIONS_MAX)
		tc_log_warning("serve.connections",
			       "the limit of open files leaves %u HTTP connections, %u of them for "
			       "streams of events; %u and %u want a hard limit of %u (ulimit -Hn)",
			       connections, STREAMS_MAX(connections), TC_SERVER_CONNECTIONS_MAX,
			       STREAMS_MAX(TC_SERVER_CONNECTIONS_MAX),
			       TC_SERVER_CONNECTIONS_MAX + TC_SERVER_OTHER_FILES_MAX);
}

int tc_server_open_events(struct tc_server *server, struct tocsin_error *error)
{
	struct tc_app *app = &server->app;
	unsigned connections = tc_server_connections_max();
	struct tc_outbox_options outbox = {.hints = app->hints};
	struct tc_event_live_options live = {.work = app->work,
					     .pool = app->work_pool,
					     .streams_max = STREAMS_MAX(connections),
					     .caller_streams_max =
						     server->config->event_streams_per_caller};
	int result = tc_pools_new_events(&server->event_pool, server->config,
					 server->database.conninfo, error);

	warn_of_limit(connections);
	outbox.pool = server->event_pool;
	if (result == TOCSIN_OK)
		result = tc_outbox_new(&app->outbox, &outbox, error);
	live.outbox = app->outbox;
	if (result == TOCSIN_OK)
		result = tc_event_live_new(&app->live, &live, error);
	if (result == TOCSIN_OK)
		result = tc_hints_subscribe(app->hints, "auth", on_access, app, error);
	if (result == TOCSIN_OK)
		result = tc_event_audit_new(&server->audit, app->work_pool, app->outbox, error);
	return result;
}

int tc_server_start_events(struct tc_server *server, struct tocsin_error *error)
{
	const struct tc_config *config = server->config;
	const struct tc_event_retention_options retention = {
		.pool = server->app.work_pool,
		.rules = {{&tc_sql_outbox_remove_events, config->event_retention_s},
			  {&tc_sql_event_remove_audit, config->audit_retention_s},
			  {&tc_sql_procedure_remove_answers, TC_IDEMPOTENCY_KEEP_S},
			  {&tc_sql_alert_remove_resolved, config->alert_retention_s}},
		.rules_count = 4,
	};
	int result = tc_outbox_start(server->app.outbox, error);

	if (result == TOCSIN_OK)
		result = tc_event_retention_new(&server->retention, &retention, error);
	return result;
}

void tc_server_close_events(struct tc_server *server)
{
	struct tc_app *app = &server->app;

	server->retention = tc_event_retention_free(server->retention);
	tc_outbox_stop(app->outbox);
	server->audit = tc_event_reader_free(server->audit);
	app->live = tc_event_live_free(app->live);
	app->outbox = tc_outbox_free(app->outbox);
	app->cache = tc_cache_free(app->cache);
}
