/* modules/catalog/catalog_delete.c: deleting a system while incidents are opened about it.
 *
 * Order. The lock key of the system; its incidents, by id, waiting; the system's row, against everybody
 * who would name it; then, without waiting, incidents that were opened between the last two steps by
 * somebody who needs not this key (it is not the first system of that incident). Whoever changes an
 * incident goes the same way, incident before system, so nobody waits in a circle. If such an incident is
 * held by somebody, who may be waiting for the system's row, everything is let go and starts again.
 *
 * Each step is a statement of its own, so that what it reads is younger than the locks before it. */
#include "modules/catalog/catalog.h"

#include "base/memory.h"
#include "modules/incident/creator.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdio.h>

/* Each failed attempt has met an incident opened and then changed within a moment. */
#define ATTEMPTS 10

struct deletion {
	const char *id, *actor;
};

static int run_delete(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	const struct deletion *deletion = userdata;
	const char *const values[] = {deletion->id, deletion->actor};
	TC_PIPELINE pipeline;
	unsigned system, rest;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_incidents, &deletion->id);
	system = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_last, &deletion->id);
	rest = tc_pipeline_add(&pipeline, &tc_sql_catalog_lock_rest, &deletion->id);
	result = tc_pipeline_run(&pipeline, error);
	if (result)
		return result;
	if (PQntuples(pipeline.results[system]) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no system %.255s",
					deletion->id);
	if (!tc_result_is_true(pipeline.results[rest], 0, 0))
		return tocsin_error_set(error, TOCSIN_E_RETRY,
					"Incidents of the system are being changed; try again");
	return tc_query(connection, &tc_sql_catalog_delete_system, values, NULL, error);
}

int tc_catalog_delete_system(struct tocsin_locks *locks, const char *id, const char *actor,
			     struct tocsin_error *error)
{
	struct deletion deletion = {.id = id, .actor = actor};
	TC_FREE char *key = NULL;
	int result = TOCSIN_OK;

	if (asprintf(&key, "%s%s", TC_INCIDENT_DEDUPE_KEY_PREFIX, id) < 0) {
		key = NULL;
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	}
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		result = tocsin_lock_in_transaction(locks, key, run_delete, &deletion, error);
		if (result != TOCSIN_E_RETRY && result != TOCSIN_E_DEADLOCK)
			break;
	}
	return result;
}
