/* pg/query.h: running statements on a pool's connection: prepared once a connection, parameters and
 * results as text, several statements in one round trip.
 *
 * Every wait has a bound (TC_QUERY_TIMEOUT_MS): when the server does not answer in time the
 * connection is closed and the call fails with TOCSIN_E_UNAVAILABLE.
 *
 * Threads: the connection's owner. All functions that send block for the answer. */
#pragma once

#include "base/macro.h"
#include "pg/statement.h"
#include <stdint.h>
#include <stdlib.h>
#include <tocsin/pool.h>

#define TC_QUERY_TIMEOUT_MS 60000u
#define TC_PIPELINE_MAX     16

TC_DEFINE_CLEANUP(struct tocsin_connection *, tocsin_pool_release);
TC_DEFINE_CLEANUP(PGresult *, PQclear);
#define TC_RESULT TC_CLEANUP(PQclear) PGresult

/* Runs one statement. `values` has sql->parameters entries, NULL for SQL NULL. On success the caller
 * owns *ret_result (PQclear); pass NULL to drop it. */
int tc_query(struct tocsin_connection *connection, const struct tc_sql *sql,
	     const char *const *values, PGresult **ret_result, struct tocsin_error *error);

/* For those who drive a pipeline themselves: prepares a statement unless it is; and takes the next
 * result with the NULL that ends its statement (a failed statement is a result, not a failure). */
int tc_query_prepare(struct tocsin_connection *connection, const struct tc_sql *sql,
		     struct tocsin_error *error);
int tc_query_receive(struct tocsin_connection *connection, uint64_t deadline_ms,
		     PGresult **ret_result, struct tocsin_error *error);

/* Several statements in one round trip: add each, then run. If one fails, those after it do not run
 * and the first failure is returned; the transaction, if any, is then aborted. */
struct tc_pipeline {
	struct tocsin_connection *connection; /* borrowed */
	unsigned count;
	const struct tc_sql *statements[TC_PIPELINE_MAX];
	uint64_t prepares;                  /* bit i: statement i was sent with a Parse before it */
	PGresult *results[TC_PIPELINE_MAX]; /* owned; set by run */
	struct tocsin_error error;          /* first failure while adding */
	uint64_t timeout_ms;                /* for run; begin sets TC_QUERY_TIMEOUT_MS */
};

void tc_pipeline_begin(struct tc_pipeline *pipeline, struct tocsin_connection *connection);
/* Returns the index of its result. Parameter values are copied by libpq. Errors surface in run. */
unsigned tc_pipeline_add(struct tc_pipeline *pipeline, const struct tc_sql *sql,
			 const char *const *values);
int tc_pipeline_run(struct tc_pipeline *pipeline, struct tocsin_error *error);
void tc_pipeline_deinit(struct tc_pipeline *pipeline);
static inline void tc_pipeline_deinit_cleanup(struct tc_pipeline *pipeline)
{
	tc_pipeline_deinit(pipeline);
}
#define TC_PIPELINE __attribute__((cleanup(tc_pipeline_deinit_cleanup))) struct tc_pipeline

/* tc_sql_pg_begin, tc_sql_pg_commit and tc_sql_pg_rollback come from pg/sql/ (sql_lib.h). */

/* Maps what the server said to a code (one table of SQLSTATEs), fills error, returns the code. */
int tc_result_error(const PGresult *result, const PGconn *pg, struct tocsin_error *error);

/* NULL for SQL NULL, else the text, owned by the result. */
static inline const char *tc_result_get(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}
static inline bool tc_result_is_true(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column)[0] == 't';
}
/* For columns of the type integer. 0 for SQL NULL. */
static inline int tc_result_get_integer(const PGresult *result, int row, int column)
{
	return (int)strtol(PQgetvalue(result, row, column), NULL, 10);
}
