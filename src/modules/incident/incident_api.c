/* modules/incident/incident_api.c: the procedures of incidents. */
#include "modules/incident/incident_api.h"

#include "core/app.h"
#include "modules/incident/incident.h"
#include "pg/array.h"

#define TITLE_MAX       500
#define DESCRIPTION_MAX 20000
#define MESSAGE_MAX     20000
#define SYSTEM_ID_MAX   255
#define STATES_MAX      1000

static const char *const statuses[] = {"investigating", "identified", "fixing",
				       "monitoring",    "resolved",   NULL};
static const char *const severities[] = {"minor", "major", "critical", NULL};
static const char *const healths[] = {"degraded", "unhealthy", NULL};
static const char *const visibilities[] = {TC_INCIDENT_PUBLIC, TC_INCIDENT_LOGGED_IN,
					   TC_INCIDENT_INTERNAL, NULL};

static struct tocsin_pool *pool_of(const struct tc_call *call)
{
	return tc_call_app(call)->work_pool;
}

/* What of an incident's updates and links the caller may see; decided for every request. */
static const char *visibility_of(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	if (caller->rules & TC_RULE_INCIDENT_MANAGE)
		return TC_INCIDENT_INTERNAL;
	return caller->is_anonymous ? TC_INCIDENT_PUBLIC : TC_INCIDENT_LOGGED_IN;
}

static const char *actor_of(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	return caller->id[0] ? caller->id : NULL;
}

static const char *actor_name_of(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	return caller->name[0] ? caller->name : NULL;
}

static void reply(struct tc_call *call, int code, unsigned status, struct tc_buffer *json,
		  const struct tocsin_error *error)
{
	if (code)
		tc_call_reply_error(call, error);
	else
		tc_call_reply_buffer(call, status, json);
}

static void run_get(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_get(pool_of(call), tc_call_string(call, "id"), visibility_of(call),
				&json, &error);

	reply(call, r, 200, &json, &error);
}

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
	int r = tc_incident_list(pool_of(call), &filter, &json, &error);

	reply(call, r, 200, &json, &error);
}

static struct tc_incident_update update_of(const struct tc_call *call)
{
	const char *visibility = tc_call_string(call, "visibility");

	return (struct tc_incident_update){
		.incident_id = tc_call_string(call, "id"),
		.message = tc_call_string(call, "message"),
		.status = tc_call_string(call, "statusChange"),
		.visibility = visibility ? visibility : TC_INCIDENT_PUBLIC,
		.actor = actor_of(call),
		.actor_name = actor_name_of(call),
	};
}

static void run_add_update(struct tc_call *call)
{
	const struct tc_incident_update update = update_of(call);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_add_update(pool_of(call), &update, &json, &error);

	reply(call, r, 201, &json, &error);
}

static void run_resolve(struct tc_call *call)
{
	const struct tc_incident_update update = update_of(call);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_resolve(pool_of(call), &update, &json, &error);

	reply(call, r, 200, &json, &error);
}

static void run_delete(struct tc_call *call)
{
	struct tocsin_error error;

	if (tc_incident_delete(pool_of(call), tc_call_string(call, "id"), actor_of(call), &error))
		tc_call_reply_error(call, &error);
	else
		tc_call_reply_empty(call, 204);
}

static void run_has_suppression(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_has_suppression(pool_of(call), tc_call_string(call, "id"), &json,
					    &error);

	reply(call, r, 200, &json, &error);
}

static void run_get_states(struct tc_call *call)
{
	const json_t *ids = json_object_get(tc_call_input(call), "ids");
	struct tocsin_error error;
	TC_BUFFER json = {0};
	TC_BUFFER array = {0};
	const char *text;
	size_t index;
	json_t *id;
	int r;

	if (json_array_size(ids) == 0) {
		tc_call_reply_copy(call, 200, "{}");
		return;
	}
	json_array_foreach(ids, index, id) tc_array_append(&array, json_string_value(id));
	text = tc_array_finish(&array);
	if (text)
		r = tc_incident_get_states(pool_of(call), text, &json, &error);
	else
		r = tocsin_error_set(&error, TOCSIN_E_NOMEM, "Out of memory");
	reply(call, r, 200, &json, &error);
}

#define INCIDENT_ID                                                                                \
	{                                                                                          \
		.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH, .flags = TC_REQUIRED,    \
		.description = "The incident's id"                                                 \
	}
#define SYSTEM_ID                                                                                  \
	{                                                                                          \
		.name = "id", .type = TC_FIELD_STRING, .place = TC_IN_PATH, .flags = TC_REQUIRED,  \
		.min = 1, .max = SYSTEM_ID_MAX, .description = "The system's id"                   \
	}
#define END                                                                                        \
	{                                                                                          \
		.type = TC_FIELD_END                                                               \
	}

static const struct tc_field create_fields[] = {
	{.name = "title",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TITLE_MAX,
	 .description = "What is wrong, in a line"},
	{.name = "description",
	 .type = TC_FIELD_STRING,
	 .flags = TC_NULLABLE,
	 .max = DESCRIPTION_MAX,
	 .description = "What is wrong, at length"},
	{.name = "severity",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_REQUIRED,
	 .choices = severities,
	 .description = "How bad it is"},
	{.name = "systemIds",
	 .type = TC_FIELD_STRINGS,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_INCIDENT_SYSTEMS_MAX,
	 .item_max = SYSTEM_ID_MAX,
	 .description = "The systems it is about; one given twice counts once"},
	{.name = "suppressNotifications",
	 .type = TC_FIELD_BOOLEAN,
	 .description = "While it is open, its systems' own notifications are not sent"},
	{.name = "healthOverride",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_NULLABLE,
	 .choices = healths,
	 .description = "While it is open, what its systems' health is said to be"},
	{.name = "initialMessage",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = MESSAGE_MAX,
	 .description = "Becomes the first update"},
	{.name = "dedupeOpenForSystem",
	 .type = TC_FIELD_BOOLEAN,
	 .description = "If the first system has an open incident, answer with that one"},
	END,
};

static const struct tc_field get_fields[] = {INCIDENT_ID, END};

static const struct tc_field list_fields[] = {
	{.name = "status",
	 .type = TC_FIELD_ENUM,
	 .place = TC_IN_QUERY,
	 .choices = statuses,
	 .description = "Only incidents of this status"},
	{.name = "systemId",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = SYSTEM_ID_MAX,
	 .description = "Only incidents of this system"},
	{.name = "includeResolved",
	 .type = TC_FIELD_BOOLEAN,
	 .place = TC_IN_QUERY,
	 .description = "Resolved ones too; open ones only unless given"},
	{.name = "limit",
	 .type = TC_FIELD_INTEGER,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = TC_INCIDENT_LIST_MAX,
	 .description = "Most incidents in the answer; 50 unless given"},
	{.name = "cursor",
	 .type = TC_FIELD_UUID,
	 .place = TC_IN_QUERY,
	 .description = "nextCursor of the page before"},
	END,
};

static const struct tc_field add_update_fields[] = {
	INCIDENT_ID,
	{.name = "message",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = MESSAGE_MAX,
	 .description = "What there is to say"},
	{.name = "statusChange",
	 .type = TC_FIELD_ENUM,
	 .choices = statuses,
	 .description = "Turns the incident to this status; one other than resolved reopens"},
	{.name = "visibility",
	 .type = TC_FIELD_ENUM,
	 .choices = visibilities,
	 .description = "Who sees it; public unless given"},
	END,
};

static const struct tc_field resolve_fields[] = {
	INCIDENT_ID,
	{.name = "message",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = MESSAGE_MAX,
	 .description = "What the update that resolves it says"},
	END,
};

static const struct tc_field suppression_fields[] = {SYSTEM_ID, END};

static const struct tc_field states_fields[] = {
	{.name = "ids",
	 .type = TC_FIELD_UUIDS,
	 .flags = TC_REQUIRED,
	 .min = 0,
	 .max = STATES_MAX,
	 .description = "Incidents; those that do not exist are left out of the answer"},
	END,
};

const struct tc_procedure tc_incident_procedures[] = {
	{.name = "listIncidents",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/incidents",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = run_list,
	 .summary = "Lists incidents, newest first"},
	{.name = "createIncident",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_INLINE,
	 .fields = create_fields,
	 .run = tc_incident_create_run,
	 .summary = "Opens an incident, or finds the open one"},
	{.name = "getManyEntityStates",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/states",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = states_fields,
	 .run = run_get_states,
	 .summary = "Says status, severity and systems of many incidents"},
	{.name = "getIncident",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/incidents/{id}",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .run = run_get,
	 .summary = "Shows an incident with its updates and links"},
	{.name = "deleteIncident",
	 .group = "incident",
	 .method = TC_DELETE,
	 .path = "/api/v1/incidents/{id}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .run = run_delete,
	 .summary = "Deletes an incident with everything that belongs to it"},
	{.name = "addUpdate",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/{id}/updates",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = add_update_fields,
	 .run = run_add_update,
	 .summary = "Adds an update, and may turn the status"},
	{.name = "resolveIncident",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/{id}/resolve",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = resolve_fields,
	 .run = run_resolve,
	 .summary = "Resolves an incident"},
	{.name = "hasActiveIncidentWithSuppression",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/systems/{id}/suppression",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = suppression_fields,
	 .run = run_has_suppression,
	 .summary = "Says whether an open incident of the system suppresses notifications"},
	{.name = NULL},
};
