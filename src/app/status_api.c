/* app/status_api.c: whether the process lives, whether it can work, and what it counts. */
#include "app/server.h"

#include "core/metrics.h"
#include "pg/migrate.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdio.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static const struct tc_field no_fields[] = {{.type = TC_FIELD_END}};

static void get_health(struct tc_call *call)
{
	tc_call_reply_copy(call, 200, "{\"status\":\"ok\"}");
}

/* The database answers, and has what this program needs. */
static int check_database(struct tocsin_pool *pool, bool *ret_is_migrated,
			  struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	TC_RESULT *rows = NULL;
	char version[16];
	const char *const values[] = {version};
	int result = tocsin_pool_acquire(pool, &connection, error);

	if (result != TOCSIN_OK)
		return result;
	snprintf(version, sizeof(version), "%u", tc_migrations[tc_migrations_count - 1].version);
	result = tc_query(connection, &tc_sql_app_ready, values, &rows, error);
	if (result == TOCSIN_OK)
		*ret_is_migrated = tc_result_is_true(rows, 0, 0);
	return result;
}

static void get_readiness(struct tc_call *call)
{
	struct tocsin_error error;
	bool is_migrated = false;

	if (check_database(tc_call_app(call)->work_pool, &is_migrated, &error) != TOCSIN_OK)
		tc_call_reply_problem_text(call, 503, "The database cannot be reached");
	else if (!is_migrated)
		tc_call_reply_problem_text(call, 503, "The database is not migrated");
	else
		tc_call_reply_copy(call, 200, "{\"status\":\"ready\"}");
}

static void get_metrics(struct tc_call *call)
{
	TC_BUFFER out = {0};
	size_t length;

	tc_metrics_format(&out);
	tc_status_metrics_format(tc_server_from(tc_call_app(call)), &out);
	length = out.length;
	tc_call_reply_content(call, 200, tc_call_procedure(call)->content_type,
			      tc_buffer_steal(&out), length);
}

const struct tc_procedure tc_status_procedures[] = {
	{.name = "getHealth",
	 .method = TC_GET,
	 .path = "/healthz",
	 .rule = TC_RULE_NONE,
	 .flags = TC_CALLER_IGNORED,
	 .run_on = TC_RUN_INLINE,
	 .fields = no_fields,
	 .run = get_health,
	 .answers = "200 Status",
	 .summary = "Whether the process answers"},
	{.name = "getReadiness",
	 .method = TC_GET,
	 .path = "/readyz",
	 .rule = TC_RULE_NONE,
	 .flags = TC_CALLER_IGNORED,
	 .run_on = TC_RUN_WORK,
	 .fields = no_fields,
	 .run = get_readiness,
	 .answers = "200 Status",
	 .summary = "Whether the database can be reached and is migrated"},
	{.name = "getMetrics",
	 .method = TC_GET,
	 .path = "/metrics",
	 .rule = TC_RULE_NONE,
	 .flags = TC_CALLER_IGNORED,
	 .run_on = TC_RUN_INLINE,
	 .fields = no_fields,
	 .run = get_metrics,
	 .content_type = METRICS_TYPE,
	 .summary = "Metrics in Prometheus' text format"},
	{0},
};
