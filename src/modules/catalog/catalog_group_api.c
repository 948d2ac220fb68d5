/* modules/catalog/catalog_group_api.c: the procedures of groups. Which systems a group has is a question to
 * listSystems. */
#include "modules/catalog/catalog_api.h"

#include "core/cache/cache.h"

static void run_list(struct tc_call *call)
{
	unsigned limit = (unsigned)tc_call_integer(call, "limit", TC_CATALOG_LIST_DEFAULT);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_catalog_list_groups(tc_catalog_pool(call), limit,
					    tc_call_string(call, "cursor"), &json, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

static void run_get(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_catalog_get_group(tc_catalog_pool(call), tc_call_string(call, "id"), &json,
					  &error);

	tc_reply_result(call, result, 200, &json, &error);
}

static void run_create(struct tc_call *call)
{
	tc_catalog_run_wish(call, tc_catalog_create_group, 201);
}

static void run_update(struct tc_call *call)
{
	tc_catalog_run_wish(call, tc_catalog_update_group, 200);
}

static void run_delete(struct tc_call *call)
{
	struct tocsin_error error;
	int result = tc_catalog_delete_group(tc_catalog_pool(call), tc_call_string(call, "id"),
					     tc_reply_actor(call), &error);

	tc_reply_done(call, result, &error);
}

static void run_add(struct tc_call *call)
{
	tc_catalog_run_part(call, tc_catalog_add_member, "systemId", "groupId");
}

static void run_remove(struct tc_call *call)
{
	tc_catalog_run_part(call, tc_catalog_remove_member, "systemId", "groupId");
}

#define GROUP_ID(field)                                                                            \
	{                                                                                          \
		.name = (field), .type = TC_FIELD_UUID, .place = TC_IN_PATH, .flags = TC_REQUIRED, \
		.description = "The group's id"                                                    \
	}

static const struct tc_field list_fields[] = {
	TC_CATALOG_FIELD_LIMIT,
	TC_FIELD_LIST_CURSOR,
	TC_CATALOG_FIELD_END,
};

static const struct tc_field get_fields[] = {GROUP_ID("id"), TC_CATALOG_FIELD_END};

static const struct tc_field create_fields[] = {
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
	GROUP_ID("id"),
	{.name = "name",
	 .type = TC_FIELD_STRING,
	 .min = 1,
	 .max = TC_CATALOG_NAME_MAX,
	 .description = "For people; unique without regard to case"},
	TC_CATALOG_FIELD_DESCRIPTION,
	TC_CATALOG_FIELD_END,
};

static const struct tc_field member_fields[] = {
	GROUP_ID("groupId"),
	{.name = "systemId",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_PATH,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_CATALOG_SYSTEM_ID_MAX,
	 .description = "The system's id"},
	TC_CATALOG_FIELD_END,
};

#define MEMBER_PATH "/api/v1/groups/{groupId}/systems/{systemId}"

const struct tc_procedure tc_catalog_group_procedures[] = {
	{.name = "listGroups",
	 .group = "catalog",
	 .method = TC_GET,
	 .path = "/api/v1/groups",
	 .rule = TC_RULE_SYSTEM_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = run_list,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "200 GroupPage",
	 .summary = "Lists groups of systems, newest first"},
	{.name = "createGroup",
	 .group = "catalog",
	 .method = TC_POST,
	 .path = "/api/v1/groups",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = create_fields,
	 .run = run_create,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "201 Group",
	 .refuses = "409",
	 .summary = "Makes a group of systems"},
	{.name = "getGroup",
	 .group = "catalog",
	 .method = TC_GET,
	 .path = "/api/v1/groups/{id}",
	 .rule = TC_RULE_SYSTEM_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .run = run_get,
	 .flags = TC_CACHED,
	 .about = TC_ABOUT_CATALOG,
	 .about_thing = "id",
	 .answers = "200 Group",
	 .refuses = "404",
	 .summary = "Shows a group"},
	{.name = "updateGroup",
	 .group = "catalog",
	 .method = TC_PATCH,
	 .path = "/api/v1/groups/{id}",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = update_fields,
	 .run = run_update,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "200 Group",
	 .refuses = "404 409",
	 .summary = "Changes a group"},
	{.name = "deleteGroup",
	 .group = "catalog",
	 .method = TC_DELETE,
	 .path = "/api/v1/groups/{id}",
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = get_fields,
	 .run = run_delete,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Deletes a group; its systems stay"},
	{.name = "addSystemToGroup",
	 .group = "catalog",
	 .method = TC_PUT,
	 .path = MEMBER_PATH,
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = member_fields,
	 .run = run_add,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Puts a system into a group; harmless if it is in it"},
	{.name = "removeSystemFromGroup",
	 .group = "catalog",
	 .method = TC_DELETE,
	 .path = MEMBER_PATH,
	 .rule = TC_RULE_SYSTEM_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = member_fields,
	 .run = run_remove,
	 .about = TC_ABOUT_CATALOG,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Takes a system out of a group"},
	{.name = NULL},
};
