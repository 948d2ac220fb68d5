/* modules/incident/incident_bulk.c: many incidents at once; see incident.h. Reads are one query each; each
 * change is a transaction of its own, so that one bad id stops no other. */
#include "modules/incident/incident_internal.h"

#include "base/uuid.h"
#include "sql_app.h"

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* --- reads --- */

int tc_incident_list_of_systems(struct tocsin_pool *work_pool, const char *systems,
				struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *const values[] = {systems, TEXT_OF(TC_INCIDENT_BULK_EACH_MAX)};

	return tc_incident_read_document(work_pool, &tc_sql_incident_list_of_systems, values,
					 ret_json, error);
}

int tc_incident_list_updates(struct tocsin_pool *work_pool, const char *ids, const char *visibility,
			     struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *const values[] = {ids, visibility, TEXT_OF(TC_INCIDENT_BULK_EACH_MAX)};

	return tc_incident_read_document(work_pool, &tc_sql_incident_list_updates, values, ret_json,
					 error);
}

int tc_incident_list_by_system(struct tocsin_pool *work_pool, struct tc_buffer *ret_json,
			       struct tocsin_error *error)
{
	const char *const values[] = {TEXT_OF(TC_INCIDENT_BY_SYSTEM_MAX)};

	return tc_incident_read_document(work_pool, &tc_sql_incident_list_by_system, values,
					 ret_json, error);
}

int tc_incident_list_health_overrides(struct tocsin_pool *work_pool, const char *systems,
				      struct tc_buffer *ret_json, struct tocsin_error *error)
{
	return tc_incident_read_document(work_pool, &tc_sql_incident_list_health_overrides,
					 &systems, ret_json, error);
}

int tc_incident_list_refs(struct tocsin_pool *work_pool, const char *ids,
			  struct tc_buffer *ret_json, struct tocsin_error *error)
{
	return tc_incident_read_document(work_pool, &tc_sql_incident_list_refs, &ids, ret_json,
					 error);
}

/* --- changes --- */

/* What follows a NUL would be lost, and the rest perhaps an id. */
static bool is_id(const json_t *text)
{
	return json_string_length(text) == TC_UUID_SIZE - 1 &&
	       tc_uuid_is_valid(json_string_value(text));
}

static int change_one(struct tocsin_pool *pool, const struct tc_incident_bulk *bulk,
		      const json_t *text, bool *ret_changed, struct tocsin_error *error)
{
	const char *id = json_string_value(text);
	const struct tc_incident_update update = {.incident_id = id,
						  .message = bulk->message,
						  .actor = bulk->actor,
						  .actor_name = bulk->actor_name};
	int r;

	if (!is_id(text))
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "It is not a UUID");
	if (!bulk->is_deletion)
		return tc_incident_resolve(pool, &update, NULL, ret_changed, error);
	r = tc_incident_delete(pool, id, bulk->actor, error);
	if (r == TOCSIN_OK)
		*ret_changed = true;
	return r;
}

/* Without a database the next id would only wait for it once more. */
static bool is_hopeless(int code, const struct tocsin_error *error)
{
	if (code == TOCSIN_E_UNAVAILABLE)
		return !tc_store_blames_statement(error);
	return code == TOCSIN_E_TIMEOUT || code == TOCSIN_E_CLOSED || code == TOCSIN_E_NOMEM;
}

static void append_outcome(struct tc_buffer *json, const struct tc_incident_bulk *bulk,
			   const json_t *id, int code, bool is_changed,
			   const struct tocsin_error *error)
{
	const char *outcome =
		is_changed ? (bulk->is_deletion ? "deleted" : "resolved") : "unchanged";

	if (code == TOCSIN_E_NOT_FOUND)
		outcome = "notFound";
	else if (code)
		outcome = "failed";
	tc_buffer_append_text(json, "{\"id\":");
	tc_buffer_append_json_text(json, json_string_value(id), json_string_length(id));
	tc_buffer_append_format(json, ",\"outcome\":\"%s\"", outcome);
	if (code) {
		/* What the database says is for the log, not for callers. */
		bool is_own = !error->sqlstate[0] && !is_hopeless(code, error);

		tc_buffer_append_text(json, ",\"detail\":");
		tc_buffer_append_json(json, is_own ? error->message : "It failed; try again");
	}
	tc_buffer_append_text(json, "}");
}

int tc_incident_change_many(struct tocsin_pool *work_pool, const struct tc_incident_bulk *bulk,
			    struct tc_buffer *ret_json, struct tocsin_error *error)
{
	int r = TOCSIN_OK;
	size_t i;
	json_t *id;

	tc_buffer_append_text(ret_json, "{\"results\":[");
	json_array_foreach(bulk->ids, i, id)
	{
		bool is_changed = false;

		if (!is_hopeless(r, error))
			r = change_one(work_pool, bulk, id, &is_changed, error);
		if (i == 0 && is_hopeless(r, error)) /* nothing was done: the whole call fails */
			return r;
		if (i > 0)
			tc_buffer_append_text(ret_json, ",");
		append_outcome(ret_json, bulk, id, r, is_changed, error);
	}
	tc_buffer_append_text(ret_json, "]}");
	return tc_store_finish(ret_json, error);
}
