/* modules/incident/incident_read.c: what the service shows; see incident.h. */
#include "modules/incident/incident_internal.h"

#include "base/uuid.h"
#include "core/procedure/page.h"
#include "sql_app.h"
#include <stdio.h>
#include <string.h>

int tc_incident_not_found(const char *id, struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no incident %.64s", id);
}

int tc_incident_read_document(struct tocsin_pool *pool, const struct tc_sql *sql,
			      const char *const *values, struct tc_buffer *ret_json,
			      struct tocsin_error *error)
{
	TC_RESULT *result = NULL;
	int r = tc_store_read(pool, sql, values, &result, error);

	return r ? r : tc_store_take(result, 0, ret_json, error);
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
	int r;

	if (filter->cursor && !tc_uuid_is_valid(filter->cursor))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"cursor is not one that a list gave");
	snprintf(limit, sizeof(limit), "%u", filter->limit + 1);
	r = tc_store_read(work_pool, list_statement(filter), values, &result, error);
	return r ? r : tc_page_format(result, "incidents", filter->limit, ret_json, error);
}

int tc_incident_has_suppression(struct tocsin_pool *work_pool, const char *system,
				struct tc_buffer *ret_json, struct tocsin_error *error)
{
	return tc_incident_read_document(work_pool, &tc_sql_incident_has_suppression, &system,
					 ret_json, error);
}

int tc_incident_get_states(struct tocsin_pool *work_pool, const char *ids,
			   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	return tc_incident_read_document(work_pool, &tc_sql_incident_get_states, &ids, ret_json,
					 error);
}
