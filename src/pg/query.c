/* pg/query.c: see query.h. One statement is a pipeline of one, so there is one way to send. */
#include "pg/query.h"

#include "base/clock.h"
#include "pg/connection.h"
#include "sql_lib.h"
#include <stdbool.h>
#include <string.h>

/* After these a connection's prepared statements, or its server, are not what they were. */
static const char *const breaking_states[] = {"0A000", "26000", "25006", "25P03"};

void tc_pipeline_begin(struct tc_pipeline *pipeline, struct tocsin_connection *connection)
{
	memset(pipeline, 0, sizeof(*pipeline));
	pipeline->connection = connection;
	pipeline->timeout_ms = TC_QUERY_TIMEOUT_MS;
	if (!PQenterPipelineMode(connection->pg)) {
		connection->is_broken = true;
		tocsin_error_set(&pipeline->error, TOCSIN_E_UNAVAILABLE,
				 "cannot start a pipeline: %s", PQerrorMessage(connection->pg));
	}
}

/* True where an earlier statement of this pipeline already carries the Parse. */
static bool is_prepared_by(const struct tc_pipeline *pipeline, const struct tc_sql *sql)
{
	for (unsigned i = 0; i < pipeline->count; i++)
		if (pipeline->statements[i] == sql)
			return true;
	return false;
}

unsigned tc_pipeline_add(struct tc_pipeline *pipeline, const struct tc_sql *sql,
			 const char *const *values)
{
	struct tocsin_connection *connection = pipeline->connection;
	unsigned index = pipeline->count;
	bool sent = true;

	if (pipeline->error.code != TOCSIN_OK)
		return 0;
	if (index == TC_PIPELINE_MAX) {
		tocsin_error_set(&pipeline->error, TOCSIN_E_FULL,
				 "more than %u statements in a pipeline", TC_PIPELINE_MAX);
		return 0;
	}
	if (!tc_connection_is_prepared(connection, sql) && !is_prepared_by(pipeline, sql)) {
		sent = PQsendPrepare(connection->pg, sql->name, sql->text, 0, NULL);
		pipeline->prepares |= UINT64_C(1) << index;
	}
	sent = sent && PQsendQueryPrepared(connection->pg, sql->name, (int)sql->parameters, values,
					   NULL, NULL, 0);
	if (!sent) {
		connection->is_broken = true;
		tocsin_error_set(&pipeline->error, TOCSIN_E_UNAVAILABLE, "cannot send %s: %s",
				 sql->name, PQerrorMessage(connection->pg));
	}
	pipeline->statements[index] = sql;
	pipeline->count++;
	return index;
}

static bool is_success(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

int tc_query_receive(struct tocsin_connection *connection, uint64_t deadline_ms,
		     PGresult **ret_result, struct tocsin_error *error)
{
	int code = tc_connection_await(connection, deadline_ms, error);

	if (code != TOCSIN_OK)
		return code;
	*ret_result = PQgetResult(connection->pg);
	if (!*ret_result || PQstatus(connection->pg) != CONNECTION_OK) {
		connection->is_broken = true;
		code = tc_result_error(*ret_result, connection->pg, error);
		return code == TOCSIN_E_DATABASE ? TOCSIN_E_UNAVAILABLE : code;
	}
	code = tc_connection_await(connection, deadline_ms, error);
	if (code == TOCSIN_OK)
		PQclear(PQgetResult(connection->pg));
	return code;
}

/* Keeps the first failure; a statement skipped because of it is none of its own. */
static int note_failure(struct tocsin_connection *connection, const PGresult *result, int code,
			struct tocsin_error *error)
{
	struct tocsin_error failure;

	if (code != TOCSIN_OK || is_success(result) ||
	    PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
		return code;
	code = tc_result_error(result, connection->pg, &failure);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(breaking_states); i++)
		if (strcmp(failure.sqlstate, breaking_states[i]) == 0)
			connection->is_broken = true;
	if (error)
		*error = failure;
	return code;
}

static int receive_statement(struct tc_pipeline *pipeline, unsigned index, uint64_t deadline_ms,
			     int code, struct tocsin_error *error)
{
	struct tocsin_connection *connection = pipeline->connection;
	int lost;

	if (pipeline->prepares >> index & 1) {
		TC_RESULT *parsed = NULL;

		lost = tc_query_receive(connection, deadline_ms, &parsed, error);
		if (lost != TOCSIN_OK)
			return lost;
		if (is_success(parsed))
			tc_connection_set_prepared(connection, pipeline->statements[index]);
		code = note_failure(connection, parsed, code, error);
	}
	lost = tc_query_receive(connection, deadline_ms, &pipeline->results[index], error);
	if (lost != TOCSIN_OK)
		return lost;
	return note_failure(connection, pipeline->results[index], code, error);
}

static int receive_sync(struct tocsin_connection *connection, uint64_t deadline_ms,
			struct tocsin_error *error)
{
	TC_RESULT *sync = NULL;
	int code = tc_connection_await(connection, deadline_ms, error);

	if (code != TOCSIN_OK)
		return code;
	sync = PQgetResult(connection->pg);
	if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC || !PQexitPipelineMode(connection->pg)) {
		connection->is_broken = true;
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE,
					"lost the database connection: %s",
					PQerrorMessage(connection->pg));
	}
	return TOCSIN_OK;
}

int tc_pipeline_run(struct tc_pipeline *pipeline, struct tocsin_error *error)
{
	struct tocsin_connection *connection = pipeline->connection;
	uint64_t deadline_ms = tc_clock_ms() + pipeline->timeout_ms;
	int code = TOCSIN_OK, lost;

	if (pipeline->error.code != TOCSIN_OK) {
		connection->is_broken = true; /* half a pipeline is under way */
		if (error)
			*error = pipeline->error;
		return pipeline->error.code;
	}
	if (!PQpipelineSync(connection->pg)) {
		connection->is_broken = true;
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "cannot send a pipeline: %s",
					PQerrorMessage(connection->pg));
	}
	for (unsigned i = 0; i < pipeline->count && !connection->is_broken; i++)
		code = receive_statement(pipeline, i, deadline_ms, code, error);
	/* It will be closed: what it still has to say does not matter. But nothing is done that the server
	 * did not say; it may have said goodbye (hear_notice) before, between or after the statements. */
	if (connection->is_broken && code == TOCSIN_OK)
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE,
					"lost the database connection: the server ended it");
	if (connection->is_broken)
		return code;
	lost = receive_sync(connection, deadline_ms, code == TOCSIN_OK ? error : NULL);
	return code == TOCSIN_OK ? lost : code;
}

void tc_pipeline_deinit(struct tc_pipeline *pipeline)
{
	for (unsigned i = 0; i < pipeline->count; i++)
		PQclear(pipeline->results[i]);
	pipeline->count = 0;
}

int tc_query(struct tocsin_connection *connection, const struct tc_sql *sql,
	     const char *const *values, PGresult **ret_result, struct tocsin_error *error)
{
	TC_PIPELINE pipeline;
	int code;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, sql, values);
	code = tc_pipeline_run(&pipeline, error);
	if (code == TOCSIN_OK && ret_result)
		*ret_result = tc_take(pipeline.results[0]);
	return code;
}

int tc_query_prepare(struct tocsin_connection *connection, const struct tc_sql *sql,
		     struct tocsin_error *error)
{
	TC_RESULT *parsed = NULL;
	uint64_t deadline_ms = tc_clock_ms() + TC_QUERY_TIMEOUT_MS;
	int code;

	if (tc_connection_is_prepared(connection, sql))
		return TOCSIN_OK;
	if (!PQsendPrepare(connection->pg, sql->name, sql->text, 0, NULL)) {
		connection->is_broken = true;
		return tc_result_error(NULL, connection->pg, error);
	}
	code = tc_query_receive(connection, deadline_ms, &parsed, error);
	code = code == TOCSIN_OK ? note_failure(connection, parsed, code, error) : code;
	if (code == TOCSIN_OK)
		tc_connection_set_prepared(connection, sql);
	return code;
}
