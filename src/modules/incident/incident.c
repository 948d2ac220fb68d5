/* modules/incident/incident.c: see incident.h.
 *
 * A change is a pipeline in a transaction: hold the incident's row; change, in a statement whose snapshot
 * is younger than that; show the result, in a third that sees the change. */
#include "modules/incident/incident.h"

#include "base/uuid.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdio.h>
#include <string.h>

/* A read whose connection was lost is asked once more, on another connection. */
#define TC_INCIDENT_READ_ATTEMPTS 2

static int not_found(const char *id, struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no incident %.64s", id);
}

static int finish_json(struct tc_buffer *json, struct tocsin_error *error)
{
	if (json->failed)
		return tocsin_error_set(error, TOCSIN_E_NOMEM,
					"Out of memory, or an answer too large");
	return TOCSIN_OK;
}

static int append_document(const PGresult *result, int column, struct tc_buffer *ret_json,
			   struct tocsin_error *error)
{
	tc_buffer_append(ret_json, PQgetvalue(result, 0, column),
			 (size_t)PQgetlength(result, 0, column));
	return finish_json(ret_json, error);
}

/* --- reads --- */

static int read_rows(struct tocsin_pool *pool, const struct tc_sql *sql, const char *const *values,
		     PGresult **ret_result, struct tocsin_error *error)
{
	int r = TOCSIN_OK;

	for (unsigned attempt = 0; attempt < TC_INCIDENT_READ_ATTEMPTS; attempt++) {
		struct tocsin_connection *connection;

		r = tocsin_pool_acquire(pool, &connection, error);
		if (r)
			return r;
		r = tc_query(connection, sql, values, ret_result, error);
		tocsin_pool_release(connection);
		if (r != TOCSIN_E_UNAVAILABLE)
			return r;
	}
	return r;
}

int tc_incident_get(struct tocsin_pool *work_pool, const char *id, const char *visibility,
		    struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *const values[] = {id, visibility};
	TC_RESULT *result = NULL;
	int r = read_rows(work_pool, &tc_sql_incident_get, values, &result, error);

	if (r)
		return r;
	if (PQntuples(result) == 0)
		return not_found(id, error);
	return append_document(result, 0, ret_json, error);
}

static const struct tc_sql *list_statement(const struct tc_incident_filter *filter)
{
	bool has_resolved =
		filter->status ? strcmp(filter->status, "resolved") == 0 : filter->include_resolved;

	if (filter->system)
		return has_resolved ? &tc_sql_incident_list_system_all
				    : &tc_sql_incident_list_system_open;
	return has_resolved ? &tc_sql_incident_list_all : &tc_sql_incident_list_open;
}

int tc_incident_list(struct tocsin_pool *work_pool, const struct tc_incident_filter *filter,
		     struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char limit[12]; /* one more than shown says whether there is a next page */
	const char *const values[] = {limit, filter->cursor, filter->status, filter->system};
	TC_RESULT *result = NULL;
	int r, shown;

	if (filter->cursor && !tc_uuid_is_valid(filter->cursor))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"cursor is not one that a list gave");
	snprintf(limit, sizeof(limit), "%u", filter->limit + 1);
	r = read_rows(work_pool, list_statement(filter), values, &result, error);
	if (r)
		return r;
	shown = TC_MIN(PQntuples(result), (int)filter->limit);
	tc_buffer_append_text(ret_json, "{\"incidents\":[");
	for (int row = 0; row < shown; row++) {
		if (row > 0)
			tc_buffer_append_text(ret_json, ",");
		tc_buffer_append(ret_json, PQgetvalue(result, row, 1),
				 (size_t)PQgetlength(result, row, 1));
	}
	tc_buffer_append_text(ret_json, "]");
	if (PQntuples(result) > shown)
		tc_buffer_append_format(ret_json, ",\"nextCursor\":\"%s\"",
					PQgetvalue(result, shown - 1, 0));
	tc_buffer_append_text(ret_json, "}");
	return finish_json(ret_json, error);
}

int tc_incident_has_suppression(struct tocsin_pool *work_pool, const char *system,
				struct tc_buffer *ret_json, struct tocsin_error *error)
{
	TC_RESULT *result = NULL;
	int r = read_rows(work_pool, &tc_sql_incident_has_suppression, &system, &result, error);

	return r ? r : append_document(result, 0, ret_json, error);
}

int tc_incident_get_states(struct tocsin_pool *work_pool, const char *ids,
			   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	TC_RESULT *result = NULL;
	int r = read_rows(work_pool, &tc_sql_incident_get_states, &ids, &result, error);

	return r ? r : append_document(result, 0, ret_json, error);
}

/* --- changes --- */

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
	r = append_document(open.rows,
			    is_refused ? TC_INCIDENT_OPEN_UNKNOWN : TC_INCIDENT_OPEN_DOCUMENT,
			    ret_json, error);
	if (r == TOCSIN_OK)
		*ret_refused = is_refused;
	return r;
}

/* One change of one incident. */
struct change {
	const char *id;
	const struct tc_sql *sql;
	const char *const *values;
	const struct tc_sql
		*show; /* shown after it, with the id as parameter; NULL: sql's own answer */
	struct tc_buffer *ret_json; /* NULL: nothing is shown */
};

static int run_change(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	const struct change *change = userdata;
	TC_PIPELINE pipeline;
	unsigned lock, shown;
	int r;

	tc_pipeline_begin(&pipeline, connection);
	lock = tc_pipeline_add(&pipeline, &tc_sql_incident_lock, &change->id);
	shown = tc_pipeline_add(&pipeline, change->sql, change->values);
	if (change->show)
		shown = tc_pipeline_add(&pipeline, change->show, &change->id);
	r = tc_pipeline_run(&pipeline, error);
	if (r)
		return r;
	if (PQntuples(pipeline.results[lock]) == 0)
		return not_found(change->id, error);
	if (!change->ret_json)
		return TOCSIN_OK;
	tc_buffer_clear(change->ret_json); /* of an attempt that could not commit */
	return append_document(pipeline.results[shown], 0, change->ret_json, error);
}

int tc_incident_add_update(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {update->incident_id, id,
				      update->message,     update->status,
				      update->visibility,  update->actor,
				      update->actor_name};
	struct change change = {.id = update->incident_id,
				.sql = &tc_sql_incident_add_update,
				.values = values,
				.ret_json = ret_json};

	tc_uuid_new(id);
	return tocsin_pool_transact(work_pool, run_change, &change, error);
}

int tc_incident_resolve(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {update->incident_id, id, update->message, update->actor,
				      update->actor_name};
	struct change change = {.id = update->incident_id,
				.sql = &tc_sql_incident_resolve,
				.values = values,
				.show = &tc_sql_incident_get_document,
				.ret_json = ret_json};

	tc_uuid_new(id);
	return tocsin_pool_transact(work_pool, run_change, &change, error);
}

int tc_incident_delete(struct tocsin_pool *work_pool, const char *id, const char *actor,
		       struct tocsin_error *error)
{
	const char *const values[] = {id, actor};
	struct change change = {.id = id, .sql = &tc_sql_incident_delete, .values = values};

	return tocsin_pool_transact(work_pool, run_change, &change, error);
}
