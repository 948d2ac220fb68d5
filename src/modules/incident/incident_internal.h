/* modules/incident/incident_internal.h: inside the room: how the service reads and changes. */
#pragma once

#include "modules/incident/incident.h"
#include "pg/query.h"

int tc_incident_not_found(const char *id, struct tocsin_error *error);

/* Appends a value of the first row. NOMEM. */
int tc_incident_append(const PGresult *result, int column, struct tc_buffer *ret_json,
		       struct tocsin_error *error);

/* A read; one whose connection was lost is asked once more, on another connection. On success the caller
 * owns *ret_result. Blocks. */
int tc_incident_read(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		     PGresult **ret_result, struct tocsin_error *error);
/* The same for a statement whose answer is one row with one document. */
int tc_incident_read_document(struct tocsin_pool *pool, const struct tc_sql *sql,
			      const char *const *values, struct tc_buffer *ret_json,
			      struct tocsin_error *error);

/* One change of one incident: a pipeline in a transaction. Hold the incident's row; change, in a statement
 * whose snapshot is younger than that; show, in a third that sees the change. */
struct tc_incident_change {
	const char *id;
	const struct tc_sql *sql; /* needs sql/lock.sql before it */
	const char *const *values;
	const struct tc_sql *show; /* NULL: nothing is shown after it */
	const char *const *show_values;
	PGresult *done, *shown; /* owned; answers of sql and show after a success */
};

/* NOT_FOUND for the incident. Blocks. */
int tc_incident_change_run(struct tocsin_pool *pool, struct tc_incident_change *change,
			   struct tocsin_error *error);
void tc_incident_change_deinit(struct tc_incident_change *change);
#define TC_INCIDENT_CHANGE                                                                         \
	__attribute__((cleanup(tc_incident_change_deinit))) struct tc_incident_change
