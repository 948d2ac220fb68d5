/* modules/alert/source_api.c: procedures of sources. All query, so they run on the work executor. */
#include "core/app.h"
#include "modules/alert/alert.h"
#include "modules/alert/source.h"
#include <sodium.h>
#include <stdio.h>

static void reply_taken(struct tc_call *call, const struct tocsin_error *error)
{
	struct tc_problem problem = {.status = 409};

	snprintf(problem.detail, sizeof(problem.detail), "%s", error->message);
	tc_problem_add(&problem, "/name", "is taken");
	tc_call_reply_problem(call, &problem);
}

static const char *actor_of(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	return caller->id[0] ? caller->id : NULL;
}

static void create_source(struct tc_call *call)
{
	const struct tc_source_request request = {.name = tc_call_string(call, "name"),
						  .actor = actor_of(call)};
	char key[TC_SOURCE_KEY_SIZE];
	struct tocsin_error error;
	TC_BUFFER json = {0};
	TC_BUFFER body = {0};
	int result = tc_source_create(tc_call_app(call)->work_pool, &request, key, &json, &error);

	if (result == TOCSIN_E_EXISTS) {
		reply_taken(call, &error);
		return;
	}
	if (result) {
		tc_call_reply_error(call, &error);
		return;
	}
	/* The one answer that shows the key: {"routingKey": ..., and the members of `json`. */
	tc_buffer_append_format(&body, "{\"routingKey\": \"%s\", ", key);
	tc_buffer_append(&body, json.data + 1, json.length - 1);
	sodium_memzero(key, sizeof(key));
	tc_call_reply_buffer(call, 201, &body);
}

static void list_sources(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};

	if (tc_source_list(tc_call_app(call)->work_pool,
			   (unsigned)tc_call_integer(call, "limit", 50),
			   tc_call_string(call, "cursor"), &json, &error))
		tc_call_reply_error(call, &error);
	else
		tc_call_reply_buffer(call, 200, &json);
}

static void revoke_source(struct tc_call *call)
{
	struct tocsin_error error;

	if (tc_source_revoke(tc_call_app(call)->work_pool, tc_call_string(call, "id"),
			     actor_of(call), &error))
		tc_call_reply_error(call, &error);
	else
		tc_call_reply_empty(call, 204);
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
	{.name = "limit",
	 .type = TC_FIELD_INTEGER,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = TC_SOURCE_LIST_MAX,
	 .description = "Most sources in the answer; 50 unless given"},
	{.name = "cursor",
	 .type = TC_FIELD_CURSOR,
	 .place = TC_IN_QUERY,
	 .description = "nextCursor of the page before"},
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
	 .summary = "Revokes a source's routing key for good"},
	{0},
};
