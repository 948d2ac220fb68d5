/* modules/incident/incident.c: opening an incident, whatever else is open; see incident.h. */
#include "modules/incident/incident_internal.h"

#include "sql_app.h"

struct open {
	const struct tc_incident_columns *columns;
	PGresult *rows; /* owned */
};

static void open_deinit(struct open *open)
{
	PQclear(open->rows);
}

static int run_open(struct tocsin_connection *connection, void *userdata,
		    struct tocsin_error *error)
{
	struct open *open = userdata;
	TC_PIPELINE pipeline;
	unsigned rows;
	int r;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_incident_lock_none, NULL);
	rows = tc_pipeline_add(&pipeline, &tc_sql_incident_open_batch, open->columns->values);
	r = tc_pipeline_run(&pipeline, error);
	if (r)
		return tc_incident_blame_deletion(r, error);
	PQclear(open->rows); /* of an attempt that could not commit */
	open->rows = tc_take(pipeline.results[rows]);
	return TOCSIN_OK;
}

int tc_incident_open(struct tocsin_pool *work_pool, const struct tc_incident_draft *draft,
		     bool reject_unknown_systems, struct tc_buffer *ret_json, bool *ret_refused,
		     struct tocsin_error *error)
{
	TC_INCIDENT_COLUMNS_SCOPED columns = {0};
	__attribute__((cleanup(open_deinit))) struct open open = {.columns = &columns};
	bool is_refused;
	int r;

	tc_incident_columns_add(&columns, draft);
	r = tc_incident_columns_finish(&columns, reject_unknown_systems, error);
	if (r)
		return r;
	r = tocsin_pool_transact(work_pool, run_open, &open, error);
	if (r)
		return r;
	is_refused = tc_result_get(open.rows, 0, TC_INCIDENT_OPEN_UNKNOWN) != NULL;
	r = tc_store_take(open.rows,
			  is_refused ? TC_INCIDENT_OPEN_UNKNOWN : TC_INCIDENT_OPEN_DOCUMENT,
			  ret_json, error);
	if (r == TOCSIN_OK)
		*ret_refused = is_refused;
	return r;
}
