/* core/store.h: statements of one module's service, each on a connection of its own, and their answers. For what is
 * one statement; more than one belong into a transaction (tocsin_pool_transact).
 *
 * Threads: any that holds no connection of the pool; what takes a pool blocks for the connection and the answer. */
#pragma once

#include "base/buffer.h"
#include "pg/query.h"

/* Runs a statement, once. On success the caller owns *ret_rows; NULL drops them. */
int tc_store_run(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		 PGresult **ret_rows, struct tocsin_error *error);
/* The same for a statement that changes nothing: one whose connection was lost is asked once more, on another. */
int tc_store_read(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		  PGresult **ret_rows, struct tocsin_error *error);
/* Of a statement that failed: it is to blame, and the connection and the server are well: others may fare better. */
bool tc_store_blames_statement(const struct tocsin_error *error);
/* TOCSIN_OK; or why the answer could not be made: INVALID where it would have more than TC_BUFFER_MAX_DEFAULT bytes, which
 * the caller can change; NOMEM. */
int tc_store_finish(const struct tc_buffer *json, struct tocsin_error *error);
/* Appends a value of the first row, which must be there, and finishes. Does not block. */
int tc_store_take(const PGresult *rows, int column, struct tc_buffer *ret_json,
		  struct tocsin_error *error);
