/* modules/incident/incident_internal.h: inside the room: how the service reads and changes. */
#pragma once

#include "core/store.h"
#include "modules/incident/incident.h"

int tc_incident_not_found(const char *id, struct tocsin_error *error);

/* A read (core/store.h) whose answer is one row with one document. Blocks. */
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
