/* modules/incident/draft.c: see draft.h. */
#include "modules/incident/draft.h"

#include "pg/array.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *non_empty(const char *text)
{
	return text[0] ? text : NULL;
}

int tc_incident_distinct(struct tc_buffer *array, const json_t *ids, struct tocsin_error *error)
{
	json_t *seen = json_object();
	bool is_complete = seen != NULL;
	size_t index;
	json_t *id;

	json_array_foreach(ids, index, id)
	{
		const char *text = json_string_value(id);

		if (!is_complete || json_object_get(seen, text))
			continue;
		is_complete = json_object_set_new(seen, text, json_true()) == 0;
		tc_array_append(array, text);
	}
	json_decref(seen);
	if (is_complete && tc_array_finish(array))
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
}

int tc_incident_request_init(struct tc_incident_request *request, struct tc_call *call,
			     struct tocsin_error *error)
{
	const struct tc_caller *caller = tc_call_caller(call);
	const json_t *ids = json_object_get(tc_call_input(call), "systemIds");

	*request = (struct tc_incident_request){.call = call};
	if (tc_incident_distinct(&request->systems, ids, error)) {
		tc_buffer_deinit(&request->systems);
		return TOCSIN_E_NOMEM;
	}
	tc_uuid_new(request->id);
	tc_uuid_new(request->update_id);
	request->draft = (struct tc_incident_draft){
		.id = request->id,
		.title = tc_call_string(call, "title"),
		.description = tc_call_string(call, "description"),
		.severity = tc_call_string(call, "severity"),
		.health = tc_call_string(call, "healthOverride"),
		.suppress = tc_call_boolean(call, "suppressNotifications", false),
		.systems = request->systems.data,
		.message = tc_call_string(call, "initialMessage"),
		.update_id = request->update_id,
		.actor = non_empty(caller->id),
		.actor_name = non_empty(caller->name),
	};
	if (tc_call_boolean(call, "dedupeOpenForSystem", false))
		request->draft.key_system = json_string_value(json_array_get(ids, 0));
	return TOCSIN_OK;
}

void tc_incident_request_deinit(struct tc_incident_request *request)
{
	tc_buffer_deinit(&request->systems);
}

static void add_unknown(struct tc_problem *problem, const json_t *ids, const char *unknown)
{
	char pointer[32];
	size_t index;
	json_t *id;

	json_array_foreach(ids, index, id)
	{
		if (strcmp(json_string_value(id), unknown) != 0)
			continue;
		snprintf(pointer, sizeof(pointer), "/systemIds/%zu", index);
		tc_problem_add(problem, pointer, "the catalog has no system \"%s\"", unknown);
	}
}

void tc_incident_refuse_systems(struct tc_call *call, const char *unknown)
{
	const json_t *ids = json_object_get(tc_call_input(call), "systemIds");
	struct tc_problem problem = {.status = 422};
	json_t *names = json_loads(unknown, 0, NULL);
	size_t index;
	json_t *name;

	snprintf(problem.detail, sizeof(problem.detail),
		 "The catalog does not know every system, and unknown systems are refused here.");
	json_array_foreach(names, index, name) add_unknown(&problem, ids, json_string_value(name));
	json_decref(names);
	tc_call_reply_problem(call, &problem);
}

void tc_incident_columns_add(struct tc_incident_columns *columns,
			     const struct tc_incident_draft *draft)
{
	const char *const row[TC_INCIDENT_COLUMNS] = {draft->id,
						      draft->title,
						      draft->description,
						      draft->severity,
						      draft->suppress ? "t" : "f",
						      draft->health,
						      draft->systems,
						      draft->key_system,
						      draft->message,
						      draft->update_id,
						      draft->actor,
						      draft->actor_name};

	for (unsigned i = 0; i < TC_INCIDENT_COLUMNS; i++)
		tc_array_append(&columns->buffers[i], row[i]);
}

int tc_incident_columns_finish(struct tc_incident_columns *columns, bool reject_unknown_systems,
			       struct tocsin_error *error)
{
	for (unsigned i = 0; i < TC_INCIDENT_COLUMNS; i++) {
		columns->values[i] = tc_array_finish(&columns->buffers[i]);
		if (!columns->values[i])
			return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	}
	columns->values[TC_INCIDENT_COLUMNS] = reject_unknown_systems ? "t" : "f";
	return TOCSIN_OK;
}

void tc_incident_columns_deinit(struct tc_incident_columns *columns)
{
	for (unsigned i = 0; i < TC_INCIDENT_COLUMNS; i++)
		tc_buffer_deinit(&columns->buffers[i]);
}

int tc_incident_blame_deletion(int code, struct tocsin_error *error)
{
	if (code != TOCSIN_E_REFERENCE)
		return code;
	return tocsin_error_set(error, TOCSIN_E_RETRY,
				"A system was deleted at this moment; try again");
}
