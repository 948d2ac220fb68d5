/* modules/incident/incident_change.c: changing an incident itself; see incident.h, and for how
 * incident_internal.h. */
#include "modules/incident/incident_internal.h"

#include "base/uuid.h"
#include "sql_app.h"

void tc_incident_change_deinit(struct tc_incident_change *change)
{
	PQclear(change->done);
	PQclear(change->shown);
	change->done = change->shown = NULL;
}

static int run_change(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	struct tc_incident_change *change = userdata;
	unsigned lock, done, shown = 0;
	TC_PIPELINE pipeline;
	int r;

	tc_incident_change_deinit(change); /* what an attempt left that could not commit */
	tc_pipeline_begin(&pipeline, connection);
	lock = tc_pipeline_add(&pipeline, &tc_sql_incident_lock, &change->id);
	done = tc_pipeline_add(&pipeline, change->sql, change->values);
	if (change->show)
		shown = tc_pipeline_add(&pipeline, change->show, change->show_values);
	r = tc_pipeline_run(&pipeline, error);
	if (r)
		return tc_incident_blame_deletion(r, error);
	if (PQntuples(pipeline.results[lock]) == 0)
		return tc_incident_not_found(change->id, error);
	change->done = tc_take(pipeline.results[done]);
	if (change->show)
		change->shown = tc_take(pipeline.results[shown]);
	return TOCSIN_OK;
}

int tc_incident_change_run(struct tocsin_pool *pool, struct tc_incident_change *change,
			   struct tocsin_error *error)
{
	return tocsin_pool_transact(pool, run_change, change, error);
}

int tc_incident_update(struct tocsin_pool *work_pool, const struct tc_incident_wish *wish,
		       struct tc_buffer *ret_json, bool *ret_refused, struct tocsin_error *error)
{
	const char *const values[] = {
		wish->id,          wish->title,
		wish->description, wish->has_description ? "t" : "f",
		wish->severity,    wish->suppress ? (*wish->suppress ? "t" : "f") : NULL,
		wish->health,      wish->has_health ? "t" : "f",
		wish->systems,     wish->reject_unknown_systems ? "t" : "f",
		wish->actor};
	TC_INCIDENT_CHANGE change = {.id = wish->id,
				     .sql = &tc_sql_incident_update,
				     .values = values,
				     .show = &tc_sql_incident_get_document,
				     .show_values = &wish->id};
	bool is_refused;
	int r = tc_incident_change_run(work_pool, &change, error);

	if (r)
		return r;
	is_refused = tc_result_get(change.done, 0, 0) != NULL;
	r = tc_store_take(is_refused ? change.done : change.shown, 0, ret_json, error);
	if (r == TOCSIN_OK)
		*ret_refused = is_refused;
	return r;
}

int tc_incident_resolve(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			struct tc_buffer *ret_json, bool *ret_changed, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {update->incident_id, id, update->message, update->actor,
				      update->actor_name};
	TC_INCIDENT_CHANGE change = {.id = update->incident_id,
				     .sql = &tc_sql_incident_resolve,
				     .values = values,
				     .show = &tc_sql_incident_get_document,
				     .show_values = &update->incident_id};
	int r;

	tc_uuid_new(id);
	r = tc_incident_change_run(work_pool, &change, error);
	if (r)
		return r;
	if (ret_changed)
		*ret_changed = PQcmdTuples(change.done)[0] == '1';
	return ret_json ? tc_store_take(change.shown, 0, ret_json, error) : TOCSIN_OK;
}

int tc_incident_delete(struct tocsin_pool *work_pool, const char *id, const char *actor,
		       struct tocsin_error *error)
{
	const char *const values[] = {id, actor};
	TC_INCIDENT_CHANGE change = {.id = id, .sql = &tc_sql_incident_delete, .values = values};

	return tc_incident_change_run(work_pool, &change, error);
}
