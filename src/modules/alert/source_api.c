/* modules/alert/source_api.c: procedures of sources. All query, so they run on the work executor. */
#include "core/app.h"
#include "core/procedure/reply.h"
#include "modules/alert/alert.h"
#include "modules/alert/source.h"

static void create_source(struct tc_call *call)
{
	const struct tc_source_request request = {.name = tc_call_string(call, "name"),
						  .actor = tc_reply_actor(call)};
	char key[TC_SOURCE_KEY_SIZE];
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_source_create(tc_call_app(call)->work_pool, &request, key, &json, &error);

	if (result)
		tc_reply_unless_taken(call, result, 201, NULL, "name", &error);
	else
		tc_reply_secret(call, "routingKey", key, sizeof(key), &json);
}

static void list_sources(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_source_list(tc_call_app(call)->work_pool,
				    (unsigned)tc_call_integer(call, "limit", TC_LIST_DEFAULT),
				    tc_call_string(call, "cursor"), &json, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

static void revoke_source(struct tc_call *call)
{
	struct tocsin_error error;
	int result = tc_source_revoke(tc_call_app(call)->work_pool, tc_call_string(call, "id"),
				      tc_reply_actor(call), &error);

	tc_reply_done(call, result, &error);
}

static const struct tc_field create_fields[] = {
	{.name = "name",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_SOURCE_NAME_MAX,
	 .description = "What people call it; unique without regard to case"},
	{.type = TC_FIELD_END},
};

static const struct tc_field list_fields[] = {
	TC_FIELD_LIST_LIMIT(TC_SOURCE_LIST_MAX, "Most sources in the answer; 50 unless given"),
	TC_FIELD_LIST_CURSOR,
	{.type = TC_FIELD_END},
};

static const struct tc_field revoke_fields[] = {
	{.name = "id",
	 .type = TC_FIELD_UUID,
	 .place = TC_IN_PATH,
	 .flags = TC_REQUIRED,
	 .description = "The source's id"},
	{.type = TC_FIELD_END},
};

const struct tc_procedure tc_source_procedures[] = {
	{.name = "createSource",
	 .method = TC_POST,
	 .path = "/api/v1/sources",
	 .group = "alert",
	 .rule = TC_RULE_SOURCE_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = create_fields,
	 .run = create_source,
	 .answers = "201 NewSource",
	 .refuses = "409",
	 .summary = "Makes a source of PagerDuty events; its routing key is in this answer only"},
	{.name = "listSources",
	 .method = TC_GET,
	 .path = "/api/v1/sources",
	 .group = "alert",
	 .rule = TC_RULE_SOURCE_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = list_sources,
	 .answers = "200 SourcePage",
	 .summary = "Lists sources, newest first, without their routing keys"},
	{.name = "revokeSource",
	 .method = TC_DELETE,
	 .path = "/api/v1/sources/{id}",
	 .group = "alert",
	 .rule = TC_RULE_SOURCE_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = revoke_fields,
	 .run = revoke_source,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Revokes a source's routing key for good"},
	{0},
};
