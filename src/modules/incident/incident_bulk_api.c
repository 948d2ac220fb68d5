/* modules/incident/incident_bulk_api.c: the procedures that are about many incidents at once. */
#include "modules/incident/incident_api.h"

#include "base/memory.h"
#include "core/cache/cache.h"
#include <stdlib.h>

#define IDS_MAX     1000
#define CHANGES_MAX 500

/* --- reads --- */

/* A read of a list of things; `none` is the answer for an empty one, which needs no database. */
struct read {
	const char *field;
	const char *none;
	int (*run)(struct tocsin_pool *pool, const char *array, struct tc_buffer *ret_json,
		   struct tocsin_error *error);
};

static void run_read(struct tc_call *call, const struct read *read)
{
	const json_t *list = json_object_get(tc_call_input(call), read->field);
	struct tocsin_error error;
	TC_BUFFER array = {0};
	TC_BUFFER json = {0};
	int r;

	if (json_array_size(list) == 0) {
		tc_call_reply_copy(call, 200, read->none);
		return;
	}
	r = tc_incident_distinct(&array, list, &error);
	if (r == TOCSIN_OK)
		r = read->run(tc_incident_pool(call), array.data, &json, &error);
	tc_reply_result(call, r, 200, &json, &error);
}

static void run_states(struct tc_call *call)
{
	run_read(call, &(struct read){"ids", "{}", tc_incident_get_states});
}

static void run_refs(struct tc_call *call)
{
	run_read(call, &(struct read){"ids", "{\"ids\":[]}", tc_incident_list_refs});
}

static void run_of_systems(struct tc_call *call)
{
	run_read(call,
		 &(struct read){"systemIds", "{\"incidents\":{}}", tc_incident_list_of_systems});
}

static void run_overrides(struct tc_call *call)
{
	run_read(call, &(struct read){"systemIds", "{\"overrides\":{}}",
				      tc_incident_list_health_overrides});
}

static void run_updates(struct tc_call *call)
{
	const json_t *ids = json_object_get(tc_call_input(call), "incidentIds");
	struct tocsin_error error;
	TC_BUFFER array = {0};
	TC_BUFFER json = {0};
	int r = tc_incident_distinct(&array, ids, &error);

	if (r == TOCSIN_OK)
		r = tc_incident_list_updates(tc_incident_pool(call), array.data,
					     tc_incident_visibility(call), &json, &error);
	tc_reply_result(call, r, 200, &json, &error);
}

static void run_by_system(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_list_by_system(tc_incident_pool(call), &json, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

/* --- changes --- */

static void change_many(struct tc_call *call, bool is_deletion)
{
	const struct tc_incident_bulk bulk = {
		.is_deletion = is_deletion,
		.ids = json_object_get(tc_call_input(call), "ids"),
		.message = tc_call_string(call, "message"),
		.actor = tc_reply_actor(call),
		.actor_name = tc_incident_actor_name(call),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_change_many(tc_incident_pool(call), &bulk, &json, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

static void run_resolve(struct tc_call *call)
{
	change_many(call, false);
}

static void run_delete(struct tc_call *call)
{
	change_many(call, true);
}

/* --- the table --- */

#define IDS(text)                                                                                  \
	{                                                                                          \
		.name = "ids", .type = TC_FIELD_UUIDS, .flags = TC_REQUIRED, .min = 0,             \
		.max = IDS_MAX, .description = (text)                                              \
	}
#define CHANGE_IDS(text)                                                                           \
	{                                                                                          \
		.name = "ids", .type = TC_FIELD_STRINGS, .flags = TC_REQUIRED | TC_ANY_ITEMS,      \
		.min = 1, .max = CHANGES_MAX, .description = (text)                                \
	}
#define SYSTEM_IDS(its_min, text)                                                                  \
	{                                                                                          \
		.name = "systemIds", .type = TC_FIELD_STRINGS, .flags = TC_REQUIRED,               \
		.min = (its_min), .max = IDS_MAX, .item_max = TC_INCIDENT_SYSTEM_ID_MAX,           \
		.description = (text)                                                              \
	}

static const struct tc_field states_fields[] = {
	IDS("Incidents; those that do not exist are left out of the answer"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field refs_fields[] = {
	IDS("Incidents; the answer has those that exist"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field of_systems_fields[] = {
	SYSTEM_IDS(1, "Systems; the answer has an entry for each"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field overrides_fields[] = {
	SYSTEM_IDS(0, "Systems; those whose health nothing overrides are left out of the answer"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field updates_fields[] = {
	{.name = "incidentIds",
	 .type = TC_FIELD_UUIDS,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = IDS_MAX,
	 .description = "Incidents; those that do not exist are left out of the answer"},
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field resolve_fields[] = {
	CHANGE_IDS(
		"Incidents to resolve; the answer has an outcome for each, also for what is no id"),
	{.name = "message",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_INCIDENT_MESSAGE_MAX,
	 .description = "What the updates that resolve them say"},
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field delete_fields[] = {
	CHANGE_IDS(
		"Incidents to delete; the answer has an outcome for each, also for what is no id"),
	TC_INCIDENT_FIELD_END,
};

const struct tc_procedure tc_incident_bulk_procedures[] = {
	{.name = "getManyEntityStates",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/states",
	 .rule = TC_RULE_INCIDENT_READ,
	 .flags = TC_CHANGES_NOTHING,
	 .run_on = TC_RUN_WORK,
	 .fields = states_fields,
	 .run = run_states,
	 .answers = "200 IncidentStates",
	 .summary = "Says status, severity and systems of many incidents"},
	{.name = "resolveIncidentRefs",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/refs",
	 .rule = TC_RULE_INCIDENT_READ,
	 .flags = TC_CHANGES_NOTHING,
	 .run_on = TC_RUN_WORK,
	 .fields = refs_fields,
	 .run = run_refs,
	 .answers = "200 IncidentRefs",
	 .summary = "Says which incidents exist"},
	{.name = "getBulkIncidentUpdates",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/updates",
	 .rule = TC_RULE_INCIDENT_READ,
	 .flags = TC_CHANGES_NOTHING,
	 .run_on = TC_RUN_WORK,
	 .fields = updates_fields,
	 .run = run_updates,
	 .answers = "200 IncidentUpdates",
	 .summary = "Shows the updates of many incidents, oldest first, the newest 100 of each"},
	{.name = "getBulkIncidentsForSystems",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/systems/incidents",
	 .rule = TC_RULE_INCIDENT_READ,
	 .flags = TC_CHANGES_NOTHING,
	 .run_on = TC_RUN_WORK,
	 .fields = of_systems_fields,
	 .run = run_of_systems,
	 .answers = "200 IncidentsBySystem",
	 .summary = "Lists the open incidents of many systems, the newest 100 of each"},
	{.name = "getActiveHealthOverrides",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/systems/health-overrides",
	 .rule = TC_RULE_INCIDENT_READ,
	 .flags = TC_CHANGES_NOTHING,
	 .run_on = TC_RUN_WORK,
	 .fields = overrides_fields,
	 .run = run_overrides,
	 .answers = "200 HealthOverrides",
	 .summary =
		 "Says what open incidents make of systems' health: the worst, of equal ones the "
		 "oldest"},
	{.name = "listOpenIncidentsBySystem",
	 .group = "incident",
	 .method = TC_GET,
	 .path = "/api/v1/incidents/by-system",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_WORK,
	 .run = run_by_system,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_INCIDENTS,
	 .answers = "200 IncidentsBySystem",
	 .summary = "Lists every open incident under each of its systems"},
	{.name = "bulkResolveIncidents",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/bulk-resolve",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = resolve_fields,
	 .run = run_resolve,
	 .about = TC_ABOUT_INCIDENTS,
	 .answers = "200 BulkResult",
	 .summary = "Resolves many incidents, each by itself"},
	{.name = "bulkDeleteIncidents",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/bulk-delete",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = delete_fields,
	 .run = run_delete,
	 .about = TC_ABOUT_INCIDENTS,
	 .answers = "200 BulkResult",
	 .summary = "Deletes many incidents, each by itself"},
	{.name = NULL},
};
