/* modules/catalog/catalog_api.c: the procedures of systems, their contacts and links.
 *
 * Everybody who may read the catalog sees systems and links; contacts are about people, and for callers who
 * say who they are. */
#include "modules/catalog/catalog_api.h"

#include "core/app.h"
#include "core/cache/cache.h"
#include "core/procedure/idempotency.h"
#include "core/procedure/read.h"
#include "http/url.h"
#include "modules/catalog/deleter.h"
#include "sql_app.h"
#include <stdio.h>

#define CONTACT_VALUE_MAX 500
#define LABEL_MAX         255
#define URL_MAX           2000

static const char *const contact_types[] = {"person", "email", "phone", "chat", "other", NULL};

struct tocsin_pool *tc_catalog_pool(const struct tc_call *call)
{
	return tc_call_app(call)->work_pool;
}

void tc_catalog_run_wish(struct tc_call *call, tc_catalog_wish_fn grant, unsigned status)
{
	const struct tc_catalog_wish wish = {
		.id = tc_call_string(call, "id"),
		.name = tc_call_string(call, "name"),
		.description = tc_call_string(call, "description"),
		.has_description = tc_call_has(call, "description"),
		.actor = tc_reply_actor(call),
	};
	const char *conflict = NULL;
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = grant(tc_catalog_pool(call), &wish, &json, &conflict, &error);

	tc_reply_unless_taken(call, result, status, &json, conflict, &error);
}

void tc_catalog_run_part(struct tc_call *call, tc_catalog_part_fn change, const char *whole_field,
			 const char *part_field)
{
	struct tocsin_error error;
	int result = change(tc_catalog_pool(call), tc_call_string(call, whole_field),
			    tc_call_string(call, part_field), tc_reply_actor(call), &error);

	tc_reply_done(call, result, &error);
}

/* --- systems --- */

static void run_list(struct tc_call *call)
{
	bool discovered = tc_call_boolean(call, "discovered", false);
	const struct tc_catalog_filter filter = {
		.discovered = tc_call_has(call, "discovered") ? &discovered : NULL,
		.group = tc_call_string(call, "groupId"),
		.limit = (unsigned)tc_call_integer(call, "limit", TC_CATALOG_LIST_DEFAULT),
		.cursor = tc_call_string(call, "cursor"),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_catalog_list_systems(tc_catalog_pool(call), &filter, &json, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

static void fill_get(const struct tc_call *call, const char **ret_values)
{
	ret_values[0] = tc_call_string(call, "id");
	ret_values[1] = tc_call_caller(call)->is_anonymous ? "f" : "t"; /* contacts */
}

static int miss_get(const struct tc_call *call, struct tocsin_error *error)
{
	return tc_catalog_not_found("system", tc_call_string(call, "id"), error);
}

static const struct tc_read read_get = {&tc_sql_catalog_get_system, fill_get, miss_get};

static void run_create(struct tc_call *call)
{
	tc_catalog_run_wish(call, tc_catalog_create_system, 201);
}

static void run_update(struct tc_call *call)
{
	tc_catalog_run_wish(call, tc_catalog_update_system, 200);
}

static void reply_deleted(int result, const struct tocsin_error *error, void *call)
{
	if (result == TOCSIN_E_LOCK_TIMEOUT) {
		tc_call_set_retry_after(call, 1);
		tc_call_reply_problem_text(call, 409,
					   "The system is locked by another operation, and did not "
					   "come free in time; it is still there. Try again.");
	} else if (result == TOCSIN_E_EXISTS && tc_idempotency_has(call)) {
		tc_claims_again(call);
	} else {
		tc_reply_done(call, result, error);
	}
}

static void delete_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	const struct tc_catalog_deletion deletion = {.id = tc_call_string(call, "id"),
						     .actor = tc_reply_actor(call),
						     .call = call,
						     .done = reply_deleted,
						     .userdata = call};

	tc_catalog_deleter_run(tc_call_app(call)->deleter, &deletion);
}

/* It has transactions of its own, and must not come with a work connection: one with an Idempotency-Key goes round once
 * more without. */
static void run_delete(struct tc_call *call)
{
	tc_idempotency_leave(call);
	if (tc_idempotency_has(call))
		tc_call_submit(call, tc_call_app(call)->work, delete_job);
	else
		delete_job(tc_call_job(call));
}

/* --- contacts and links --- */

static void run_add_contact(struct tc_call *call)
{
	const struct tc_catalog_contact contact = {
		.system = tc_call_string(call, "systemId"),
		.type = tc_call_string(call, "type"),
		.value = tc_call_string(call, "value"),
		.label = tc_call_string(call, "label"),
		.actor = tc_reply_actor(call),
	};
	const char *conflict = NULL;
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result =
		tc_catalog_add_contact(tc_catalog_pool(call), &contact, &json, &conflict, &error);

	tc_reply_unless_taken(call, result, 201, &json, conflict, &error);
}

static void run_remove_contact(struct tc_call *call)
{
	tc_catalog_run_part(call, tc_catalog_remove_contact, "systemId", "contactId");
}

static void run_add_link(struct tc_call *call)
{
	const struct tc_catalog_link link = {
		.system = tc_call_string(call, "systemId"),
		.url = tc_call_string(call, "url"),
		.label = tc_call_string(call, "label"),
		.actor = tc_reply_actor(call),
	};
	struct tc_problem problem = {.status = 400};
	const char *conflict = NULL;
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_catalog_add_link(tc_catalog_pool(call), &link, &json, &conflict, &error);

	if (result == TOCSIN_E_INVALID && !error.sqlstate[0]) {
		snprintf(problem.detail, sizeof(problem.detail), "%s", error.message);
		tc_problem_add(&problem, "/url", "must be an http or https URL without spaces");
		tc_call_reply_problem(call, &problem);
		return;
	}
	tc_reply_unless_taken(call, result, 201, &json, conflict, &error);
}

static void run_remove_link(struct tc_call *call)
{
	tc_catalog_run_part(call, tc_catalog_remove_link, "systemId", "linkId");
}

/* --- the table --- */

#define SYSTEM_ID(field)                                                                           \
	{                                                                                          \
		.name = (field), .type = TC_FIELD_STRING, .place = TC_IN_PATH,                     \
		.flags = TC_REQUIRED, .min = 1, .max = TC_CATALOG_SYSTEM_ID_MAX,                   \
		.description = "The system's id"                                                   \
	}
#define LABEL(text)                                                                                \
	{                                                                                          \
		.name = "label", .type = TC_FIELD_STRING, .min = 1, .max = LABEL_MAX,              \
		.description = (text)                                                              \
	}

static const struct tc_field list_fields[] = {
	{.name = "discovered",
	 .type = TC_FIELD_BOOLEAN,
	 .place = TC_IN_QUERY,
	 .description = "Only systems that incidents discovered, or only registered ones"},
	{.name = "groupId",
	 .type = TC_FIELD_UUID,
	 .place = TC_IN_QUERY,
	 .description = "Only systems of this group"},
	TC_CATALOG_FIELD_LIMIT,
	TC_FIELD_LIST_CURSOR,
	TC_CATALOG_FIELD_END,
};

static const struct tc_field get_fields[] = {SYSTEM_ID("id"), TC_CATALOG_FIELD_END};

static const struct tc_field create_fields[] = {
	{.name = "id",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_CATALOG_SYSTEM_ID_MAX,
	 .description = "What incidents and alerts call it; made if not given"},
	{.name = "name",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_CATALOG_NAME_MAX,
	 .description = "For people; unique without regard to case"},
	TC_CATALOG_FIELD_DESCRIPTION,
	TC_CATALOG_FIELD_END,
};

static const struct tc_field update_fields[] = {
	SYSTEM_ID("id"),
	{.name = "name",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_CATALOG_NAME_MAX,
	 .description = "For people; unique without regard to case"},
	TC_CATALOG_FIELD_DESCRIPTION,
	TC_CATALOG_FIELD_END,
};

static const struct tc_field contact_fields[] = {
	SYSTEM_ID("systemId"),
	{.name = "type",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_REQUIRED,
	 .choices = contact_types,
	 .description = "What the value is"},
	{.name = "value",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = CONTACT_VALUE_MAX,
	 .description = "A name, address, number or channel"},
	LABEL("What the contact is for"),
	TC_CATALOG_FIELD_END,
};

static const struct tc_field remove_contact_fields[] = {
	SYSTEM_ID("systemId"),
	{.name = "contactId",
	 .type = TC_FIELD_UUID,
	 .place = TC_IN_PATH,
	 .flags = TC_REQUIRED,
	 .description = "The contact's id"},
	TC_CATALOG_FIELD_END,
};

static const struct tc_field link_fields[] = {
	SYSTEM_ID("systemId"),
	{.name = "url",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = URL_MAX,
	 .pattern = TC_URL_WEB_PATTERN,
	 .description = "Where it goes: http or https, without spaces; once a system"},
	LABEL("For people, in place of the URL"),
	TC_CATALOG_FIELD_END,
};

static const struct tc_field remove_link_fields[] = {
	SYSTEM_ID("systemId"),
	{.name = "linkId",
	 .type = TC_FIELD_UUID,
	 .place = TC_IN_PATH,
	 .flags = TC_REQUIRED,
	 .description = "The link's id"},
	TC_CATALOG_FIELD_END,
};

const struct tc_procedure tc_catalog_system_procedures[] = {
	{.name = "listSystems",
	 .group = "catalog",
	 .method = TC_GET,
	 .path = "/api/v1/systems",
	 .rule = TC_RULE_SYSTEM_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = run_list,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "200 SystemPage",
	 .summary = "Lists systems, newest first"},
	{.name = "createSystem",
	 .group = "catalog",
	 .method = TC_POST,
	 .path = "/api/v1/systems",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = create_fields,
	 .run = run_create,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "201 System",
	 .refuses = "409",
	 .summary = "Registers a system, perhaps one that was discovered"},
	{.name = "getSystem",
	 .group = "catalog",
	 .method = TC_GET,
	 .path = "/api/v1/systems/{id}",
	 .rule = TC_RULE_SYSTEM_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .read = &read_get,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_CATALOG,
	 .about_thing = "id",
	 .answers = "200 SystemDetail",
	 .refuses = "404",
	 .summary = "Shows a system with its links; its contacts to callers with a key"},
	{.name = "updateSystem",
	 .group = "catalog",
	 .method = TC_PATCH,
	 .path = "/api/v1/systems/{id}",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = update_fields,
	 .run = run_update,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "200 System",
	 .refuses = "404 409",
	 .summary = "Changes a system, and registers it if it was discovered"},
	{.name = "deleteSystem",
	 .group = "catalog",
	 .method = TC_DELETE,
	 .path = "/api/v1/systems/{id}",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .run = run_delete,
	 .about = TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Deletes a system, and takes it out of its incidents"},
	{.name = "addSystemContact",
	 .group = "catalog",
	 .method = TC_POST,
	 .path = "/api/v1/systems/{systemId}/contacts",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = contact_fields,
	 .run = run_add_contact,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "201 SystemContact",
	 .refuses = "404 409",
	 .summary = "Adds a contact to a system"},
	{.name = "removeSystemContact",
	 .group = "catalog",
	 .method = TC_DELETE,
	 .path = "/api/v1/systems/{systemId}/contacts/{contactId}",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = remove_contact_fields,
	 .run = run_remove_contact,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Removes a contact of a system"},
	{.name = "addSystemLink",
	 .group = "catalog",
	 .method = TC_POST,
	 .path = "/api/v1/systems/{systemId}/links",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = link_fields,
	 .run = run_add_link,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "201 SystemLink",
	 .refuses = "404 409",
	 .summary = "Adds a link to a system"},
	{.name = "removeSystemLink",
	 .group = "catalog",
	 .method = TC_DELETE,
	 .path = "/api/v1/systems/{systemId}/links/{linkId}",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = remove_link_fields,
	 .run = run_remove_link,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Removes a link of a system"},
	{.name = NULL},
};
