/* modules/incident/incident_timeline_api.c: the procedures of an incident's updates and links. Who may change
 * them sees all of them, edit histories included. */
#include "modules/incident/incident_api.h"

#include "core/cache/cache.h"
#include "http/url.h"
#include "modules/incident/incident.h"
#include <stdio.h>

#define URL_MAX   2048
#define LABEL_MAX 255

static const char *incident_of(const struct tc_call *call)
{
	return tc_call_string(call, "incidentId");
}

/* --- updates --- */

static void run_add_update(struct tc_call *call)
{
	const char *visibility = tc_call_string(call, "visibility");
	const struct tc_incident_update update = {
		.incident_id = incident_of(call),
		.message = tc_call_string(call, "message"),
		.status = tc_call_string(call, "statusChange"),
		.visibility = visibility ? visibility : TC_INCIDENT_PUBLIC,
		.actor = tc_reply_actor(call),
		.actor_name = tc_incident_actor_name(call),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_add_update(tc_incident_pool(call), &update, &json, &error);

	tc_reply_result(call, r, 201, &json, &error);
}

static void run_edit_update(struct tc_call *call)
{
	const struct tc_incident_edit edit = {
		.incident_id = incident_of(call),
		.id = tc_call_string(call, "updateId"),
		.message = tc_call_string(call, "message"),
		.status = tc_call_string(call, "statusChange"),
		.has_status = tc_call_has(call, "statusChange"),
		.visibility = tc_call_string(call, "visibility"),
		.created_at = tc_call_string(call, "createdAt"),
		.actor = tc_reply_actor(call),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_edit_update(tc_incident_pool(call), &edit, &json, &error);

	tc_reply_result(call, r, 200, &json, &error);
}

static void run_delete_update(struct tc_call *call)
{
	struct tocsin_error error;
	int r = tc_incident_delete_update(tc_incident_pool(call), incident_of(call),
					  tc_call_string(call, "updateId"), tc_reply_actor(call),
					  &error);

	tc_reply_done(call, r, &error);
}

/* --- links --- */

static struct tc_incident_link link_of(const struct tc_call *call)
{
	return (struct tc_incident_link){
		.incident_id = incident_of(call),
		.id = tc_call_string(call, "linkId"),
		.url = tc_call_string(call, "url"),
		.label = tc_call_string(call, "label"),
		.has_label = tc_call_has(call, "label"),
		.visibility = tc_call_string(call, "visibility"),
		.actor = tc_reply_actor(call),
	};
}

/* The field is named where it is what is wrong. */
static void reply_link(struct tc_call *call, int code, unsigned status, struct tc_buffer *json,
		       const struct tocsin_error *error)
{
	struct tc_problem problem = {.status = code == TOCSIN_E_INVALID ? 400 : 409};

	if ((code != TOCSIN_E_INVALID && code != TOCSIN_E_EXISTS) || error->sqlstate[0]) {
		tc_reply_result(call, code, status, json, error);
		return;
	}
	snprintf(problem.detail, sizeof(problem.detail), "%s", error->message);
	tc_problem_add(&problem, "/url", "%.180s", error->message);
	tc_call_reply_problem(call, &problem);
}

static void run_add_link(struct tc_call *call)
{
	struct tc_incident_link link = link_of(call);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r;

	if (!link.visibility)
		link.visibility = TC_INCIDENT_PUBLIC;
	r = tc_incident_add_link(tc_incident_pool(call), &link, &json, &error);
	reply_link(call, r, 201, &json, &error);
}

static void run_update_link(struct tc_call *call)
{
	const struct tc_incident_link link = link_of(call);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int r = tc_incident_update_link(tc_incident_pool(call), &link, &json, &error);

	reply_link(call, r, 200, &json, &error);
}

static void run_remove_link(struct tc_call *call)
{
	struct tocsin_error error;
	int r = tc_incident_remove_link(tc_incident_pool(call), incident_of(call),
					tc_call_string(call, "linkId"), tc_reply_actor(call),
					&error);

	tc_reply_done(call, r, &error);
}

/* --- the table --- */

#define UPDATE_ID                                                                                  \
	{                                                                                          \
		.name = "updateId", .type = TC_FIELD_UUID, .place = TC_IN_PATH,                    \
		.flags = TC_REQUIRED, .description = "The update's id"                             \
	}
#define LINK_ID                                                                                    \
	{                                                                                          \
		.name = "linkId", .type = TC_FIELD_UUID, .place = TC_IN_PATH,                      \
		.flags = TC_REQUIRED, .description = "The link's id"                               \
	}
#define VISIBILITY(text)                                                                           \
	{                                                                                          \
		.name = "visibility", .type = TC_FIELD_ENUM, .choices = tc_incident_visibilities,  \
		.description = (text)                                                              \
	}
#define MESSAGE(its_flags)                                                                         \
	{                                                                                          \
		.name = "message", .type = TC_FIELD_STRING, .flags = (its_flags), .min = 1,        \
		.max = TC_INCIDENT_MESSAGE_MAX, .description = "What there is to say"              \
	}
#define URL(its_flags)                                                                             \
	{                                                                                          \
		.name = "url", .type = TC_FIELD_STRING, .flags = (its_flags), .min = 1,            \
		.max = URL_MAX, .pattern = TC_URL_WEB_PATTERN,                                     \
		.description = "Where it goes: http or https, without spaces; once an incident"    \
	}
#define LABEL                                                                                      \
	{                                                                                          \
		.name = "label", .type = TC_FIELD_STRING, .flags = TC_NULLABLE, .min = 1,          \
		.max = LABEL_MAX, .description = "For people, in place of the URL"                 \
	}

static const struct tc_field add_update_fields[] = {
	TC_INCIDENT_FIELD_ID("incidentId"),
	MESSAGE(TC_REQUIRED),
	{.name = "statusChange",
	 .type = TC_FIELD_ENUM,
	 .choices = tc_incident_statuses,
	 .description = "Turns the incident to this status; one other than resolved reopens"},
	VISIBILITY("Who sees it; public unless given"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field edit_update_fields[] = {
	TC_INCIDENT_FIELD_ID("incidentId"),
	UPDATE_ID,
	MESSAGE(0),
	{.name = "statusChange",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_NULLABLE,
	 .choices = tc_incident_statuses,
	 .description = "The status it turned the incident to"},
	VISIBILITY("Who sees it"),
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP, .description = "When it was said"},
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field delete_update_fields[] = {TC_INCIDENT_FIELD_ID("incidentId"),
						       UPDATE_ID, TC_INCIDENT_FIELD_END};

static const struct tc_field add_link_fields[] = {
	TC_INCIDENT_FIELD_ID("incidentId"),
	URL(TC_REQUIRED),
	LABEL,
	VISIBILITY("Who sees it; public unless given"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field update_link_fields[] = {
	TC_INCIDENT_FIELD_ID("incidentId"),
	LINK_ID,
	URL(0),
	LABEL,
	VISIBILITY("Who sees it"),
	TC_INCIDENT_FIELD_END,
};

static const struct tc_field remove_link_fields[] = {TC_INCIDENT_FIELD_ID("incidentId"), LINK_ID,
						     TC_INCIDENT_FIELD_END};

const struct tc_procedure tc_incident_timeline_procedures[] = {
	{.name = "addUpdate",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/{incidentId}/updates",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = add_update_fields,
	 .run = run_add_update,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "incidentId",
	 .answers = "201 Update",
	 .refuses = "404 409",
	 .summary = "Adds an update, and may turn the status"},
	{.name = "editUpdate",
	 .group = "incident",
	 .method = TC_PATCH,
	 .path = "/api/v1/incidents/{incidentId}/updates/{updateId}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = edit_update_fields,
	 .run = run_edit_update,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "incidentId",
	 .answers = "200 Update",
	 .refuses = "404 409",
	 .summary = "Edits an update, whose old version is kept"},
	{.name = "deleteUpdate",
	 .group = "incident",
	 .method = TC_DELETE,
	 .path = "/api/v1/incidents/{incidentId}/updates/{updateId}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = delete_update_fields,
	 .run = run_delete_update,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "incidentId",
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Deletes an update"},
	{.name = "addLink",
	 .group = "incident",
	 .method = TC_POST,
	 .path = "/api/v1/incidents/{incidentId}/links",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = add_link_fields,
	 .run = run_add_link,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "incidentId",
	 .answers = "201 Link",
	 .refuses = "404 409",
	 .summary = "Adds a link to an incident"},
	{.name = "updateLink",
	 .group = "incident",
	 .method = TC_PATCH,
	 .path = "/api/v1/incidents/{incidentId}/links/{linkId}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = update_link_fields,
	 .run = run_update_link,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "incidentId",
	 .answers = "200 Link",
	 .refuses = "404 409",
	 .summary = "Changes a link of an incident"},
	{.name = "removeLink",
	 .group = "incident",
	 .method = TC_DELETE,
	 .path = "/api/v1/incidents/{incidentId}/links/{linkId}",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = remove_link_fields,
	 .run = run_remove_link,
	 .about = TC_ABOUT_INCIDENTS,
	 .about_thing = "incidentId",
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Removes a link of an incident"},
	{.name = NULL},
};
