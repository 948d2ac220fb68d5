/* modules/incident/incident_api.c: the procedures of incidents themselves. */
#include "modules/incident/incident_api.h"

#include "core/app.h"
#include "core/cache/cache.h"
#include "core/procedure/read.h"
#include "modules/incident/incident_internal.h"
#include "sql_app.h"

const char *const tc_incident_statuses[] = {"investigating", "identified", "fixing",
					    "monitoring",    "resolved",   NULL};
const char *const tc_incident_severities[] = {"minor", "major", "critical", NULL};
const char *const tc_incident_healths[] = {"degraded", "unhealthy", NULL};
const char *const tc_incident_visibilities[] = {TC_INCIDENT_PUBLIC, TC_INCIDENT_LOGGED_IN,
						TC_INCIDENT_INTERNAL, NULL};

struct tocsin_pool *tc_incident_pool(const struct tc_call *call)
{
	return tc_call_app(call)->work_pool;
}

const char *tc_incident_visibility(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	if (caller->rules & TC_RULE_INCIDENT_MANAGE)
		return TC_INCIDENT_INTERNAL;
	return caller->is_anonymous ? TC_INCIDENT_PUBLIC : TC_INCIDENT_LOGGED_IN;
}

const char *tc_incident_actor_name(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	return caller->name[0] ? caller->name : NULL;
}

static void fill_get(const struct tc_call *call, const char **ret_values)
{
	ret_values[0] = tc_call_string(call, "id");
	ret_values[1] = tc_incident_visibility(call);
}

static int miss_get(const struct tc_call *call, struct tocsin_error *error)
{
	return tc_incident_not_found(tc_call_string(call, "id"), error);
}

static const struct tc_read read_get = {&tc_sql_incident_get, fill_get, miss_get};

static void run_list(struct tc_call *call)
{
	const struct tc_incident_filter filter = {
		.system = tc_call_string(call, "systemId"),
		.status = tc_call_string(call, "status"),
		.include_resolved = tc_call_boolean(call, "includeResolved", false),
		.limit = (unsigned)tc_call_integer(call, "limit", TC_INCIDENT_LIST_DEFAULT),
		.cursor = tc_call_string(call, "cursor"),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_list(tc_incident_pool(call), &filter, &json, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

static void run_update(struct tc_call *call)
{
	bool suppress = tc_call_boolean(call, "suppressNotifications", false);
	const json_t *systems = json_object_get(tc_call_input(call), "systemIds");
	struct tc_incident_wish wish = {
		.id = tc_call_string(call, "id"),
		.title = tc_call_string(call, "title"),
		.description = tc_call_string(call, "description"),
		.has_description = tc_call_has(call, "description"),
		.severity = tc_call_string(call, "severity"),
		.suppress = tc_call_has(call, "suppressNotifications") ? &suppress : NULL,
		.health = tc_call_string(call, "healthOverride"),
		.has_health = tc_call_has(call, "healthOverride"),
		.reject_unknown_systems = tc_call_app(call)->reject_unknown_systems,
		.actor = tc_reply_actor(call),
	};
	struct tocsin_error error;
	bool is_refused = false;
	TC_BUFFER array = {0};
	TC_BUFFER json = {0};
	int r = systems ? tc_incident_distinct(&array, systems, &error) : TOCSIN_OK;

	wish.systems = array.data;
	if (r == TOCSIN_OK)
		r = tc_incident_update(tc_incident_pool(call), &wish, &json, &is_refused, &error);
	if (is_refused)
		tc_incident_refuse_systems(call, json.data);
	else
		tc_reply_result(call, r, 200, &json, &error);
}

static void run_resolve(struct tc_call *call)
{
	const struct tc_incident_update update = {
		.incident_id = tc_call_string(call, "id"),
		.message = tc_call_string(call, "message"),
		.actor = tc_reply_actor(call),
		.actor_name = tc_incident_actor_name(call),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_resolve(tc_incident_pool(call), &update, &json, NULL, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

static void run_delete(struct tc_call *call)
{
	struct tocsin_error error;
	int r = tc_incident_delete(tc_incident_pool(call), tc_call_string(call, "id"),
				   tc_reply_actor(call), &error);

	tc_reply_done(call, r, &error);
}

static void run_list_of_system(struct tc_call *call)
{
	const struct tc_incident_filter filter = {
		.system = tc_call_string(call, "systemId"),
		.limit = (unsigned)tc_call_integer(call, "limit", TC_INCIDENT_LIST_DEFAULT),
		.cursor = tc_call_string(call, "cursor"),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_list(tc_incident_pool(call), &filter, &json, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

static void run_has_suppression(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_has_suppression(tc_incident_pool(call),
					    tc_call_string(call, "systemId"), &json, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

/* --- the table --- */

static const struct tc_field create_fields[] = {
	{.name = "title",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_INCIDENT_TITLE_MAX,
	 .description = "What is wrong, in a line"},
	{.name = "description",
	 .type = TC_FIELD_STRING,
	 .flags = TC_NULLABLE,
	 .max = TC_INCIDENT_DESCRIPTION_MAX,
	 .description = "What is wrong, at length"},
	{.name = "severity",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_REQUIRED,
	 .choices = tc_incident_severities,
	 .description = "How bad it is"},
	{.name = "systemIds",
	 .type = TC_FIELD_STRINGS,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_INCIDENT_SYSTEMS_MAX,
	 .item_max = TC_INCIDENT_SYSTEM_ID_MAX,
	 .description = "The systems it is about; one given twice counts once"},
	{.name = "suppressNotifications",
	 .type = TC_FIELD_BOOLEAN,
	 .description = "While it is open, its systems' own notifications are not sent"},
	{.name = "healthOverride",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_NULLABLE,
	 .choices = tc_incident_healths,
	 .description = "While it is open, what its systems' health is said to be"},
	{.name = "initialMessage",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_INCIDENT_MESSAGE_MAX,
	 .description = "Becomes the first update"},
	{.name = "dedupeOpenForSystem",
	 .type = TC_FIELD_BOOLEAN,
	 .description = "If the first system has an open incident, answer with that one"},
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field get_fields[] = {TC_INCIDENT_FIELD_ID("id"), TC_INCIDENT_FIELD_END};

static const struct tc_field list_fields[] = {
	{.name = "status",
	 .type = TC_FIELD_ENUM,
	 .place = TC_IN_QUERY,
	 .choices = tc_incident_statuses,
	 .description = "Only incidents of this status"},
	{.name = "systemId",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = TC_INCIDENT_SYSTEM_ID_MAX,
	 .description = "Only incidents of this system"},
	{.name = "includeResolved",
	 .type = TC_FIELD_BOOLEAN,
	 .place = TC_IN_QUERY,
	 .description = "Resolved ones too; open ones only unless given"},
	TC_INCIDENT_FIELD_LIMIT,
	TC_FIELD_LIST_CURSOR,
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field update_fields[] = {
	TC_INCIDENT_FIELD_ID("id"),
	{.name = "title",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_INCIDENT_TITLE_MAX,
	 .description = "What is wrong, in a line"},
	{.name = "description",
	 .type = TC_FIELD_STRING,
	 .flags = TC_NULLABLE,
	 .max = TC_INCIDENT_DESCRIPTION_MAX,
	 .description = "What is wrong, at length"},
	{.name = "severity",
	 .type = TC_FIELD_ENUM,
	 .choices = tc_incident_severities,
	 .description = "How bad it is"},
	{.name = "systemIds",
	 .type = TC_FIELD_STRINGS,
	 .min = 1,
	 .max = TC_INCIDENT_SYSTEMS_MAX,
	 .item_max = TC_INCIDENT_SYSTEM_ID_MAX,
	 .description = "The systems it is about, in place of all it was about"},
	{.name = "suppressNotifications",
	 .type = TC_FIELD_BOOLEAN,
	 .description = "While it is open, its systems' own notifications are not sent"},
	{.name = "healthOverride",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_NULLABLE,
	 .choices = tc_incident_healths,
	 .description = "While it is open, what its systems' health is said to be"},
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field resolve_fields[] = {
	TC_INCIDENT_FIELD_ID("id"),
	{.name = "message",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_INCIDENT_MESSAGE_MAX,
	 .description = "What the update that resolves it says"},
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field suppression_fields[] = {TC_INCIDENT_FIELD_SYSTEM,
						     TC_INCIDENT_FIELD_END};

static const struct tc_field of_system_fields[] = {TC_INCIDENT_FIELD_SYSTEM,
						   TC_INCIDENT_FIELD_LIMIT, TC_FIELD_LIST_CURSOR,
						   TC_INCIDENT_FIELD_END};

const struct tc_procedure tc_incident_procedures[] = {
	{.name = "listIncidents",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/incidents",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = run_list,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_INCIDENTS,
	 .answers = "200 IncidentPage",
	 .summary = "Lists incidents, newest first"},
	{.name = "createIncident",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_INLINE,
	 .fields = create_fields,
	 .run = tc_incident_create_run,
	 .flags = TC_ONLY_ADDS,
	 .about = TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG,
	 .answers = "201 Incident/OpenedIncident, 200 OpenedIncident",
	 .refuses = "409 422",
	 .summary = "Opens an incident, or finds the open one"},
	{.name = "getIncident",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/incidents/{id}",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .read = &read_get,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "id",
	 .answers = "200 IncidentDetail",
	 .refuses = "404",
	 .summary = "Shows an incident with its updates and links"},
	{.name = "updateIncident",
	 .group = "incident",
	 .method = TC_PATCH,
	 .path = "/api/v1/incidents/{id}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = update_fields,
	 .run = run_update,
	 .about = TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG,
	 .about_thing = "id",
	 .answers = "200 Incident",
	 .refuses = "404 409 422",
	 .summary = "Changes what is given of an incident"},
	{.name = "deleteIncident",
	 .group = "incident",
	 .method = TC_DELETE,
	 .path = "/api/v1/incidents/{id}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .run = run_delete,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "id",
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Deletes an incident with everything that belongs to it"},
	{.name = "resolveIncident",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/{id}/resolve",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = resolve_fields,
	 .run = run_resolve,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "id",
	 .answers = "200 Incident",
	 .refuses = "404 409",
	 .summary = "Resolves an incident"},
	{.name = "getIncidentsForSystem",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/systems/{systemId}/incidents",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = of_system_fields,
	 .run = run_list_of_system,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_INCIDENTS,
	 .answers = "200 IncidentPage",
	 .summary = "Lists the open incidents of a system, newest first"},
	{.name = "hasActiveIncidentWithSuppression",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/systems/{systemId}/suppression",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = suppression_fields,
	 .run = run_has_suppression,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_INCIDENTS,
	 .answers = "200 Suppression",
	 .summary = "Says whether an open incident of the system suppresses notifications"},
	{.name = NULL},
};
