/* Procedures of API keys. All need auth.key.manage; all query, so they run on the work executor. */
#include "core/app.h"
#include "core/procedure/reply.h"
#include "modules/auth/auth.h"

static const char *const role_choices[] = {"admin", "manager", "viewer", NULL};

static void create_api_key(struct tc_call *call)
{
	const struct tc_auth_key_request request = {
		.name = tc_call_string(call, "name"),
		.role = tc_call_string(call, "role"),
		.actor = tc_call_caller(call)->id,
	};
	char key[TC_AUTH_KEY_SIZE];
	struct tocsin_error error;
	TC_BUFFER json = {0};

	if (tc_auth_create_key(tc_call_app(call)->work_pool, &request, key, &json, &error))
		tc_call_reply_error(call, &error);
	else
		tc_reply_secret(call, "key", key, sizeof(key), &json);
}

static void list_api_keys(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_auth_list_keys(tc_call_app(call)->work_pool,
				       (unsigned)tc_call_integer(call, "limit", TC_LIST_DEFAULT),
				       tc_call_string(call, "cursor"), &json, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

static void forget_key(struct tc_call *call)
{
	tc_auth_forget(tc_call_app(call)->auth, tc_call_string(call, "id"));
}

static void revoke_api_key(struct tc_call *call)
{
	struct tocsin_error error;
	int result = tc_auth_revoke_key(tc_call_app(call)->work_pool, tc_call_string(call, "id"),
					tc_call_caller(call)->id, &error);

	if (result == TOCSIN_OK)
		tc_call_when_committed(call, forget_key);
	tc_reply_done(call, result, &error);
}

static const struct tc_field create_fields[] = {
	{.name = "name",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_AUTH_NAME_MAX,
	 .description = "What people call the key"},
	{.name = "role",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_REQUIRED,
	 .choices = role_choices,
	 .description = "What the key may do"},
	{.type = TC_FIELD_END},
};

static const struct tc_field list_fields[] = {
	TC_FIELD_LIST_LIMIT(TC_AUTH_LIST_MAX, "Most keys in the answer; 50 unless given"),
	TC_FIELD_LIST_CURSOR,
	{.type = TC_FIELD_END},
};

static const struct tc_field revoke_fields[] = {
	{.name = "id",
	 .type = TC_FIELD_UUID,
	 .place = TC_IN_PATH,
	 .flags = TC_REQUIRED,
	 .description = "The key's id"},
	{.type = TC_FIELD_END},
};

const struct tc_procedure tc_auth_procedures[] = {
	{.name = "createApiKey",
	 .group = "auth",
	 .method = TC_POST,
	 .path = "/api/v1/keys",
	 .rule = TC_RULE_KEY_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = create_fields,
	 .run = create_api_key,
	 .answers = "201 NewApiKey",
	 .refuses = "409",
	 .summary = "Makes an API key; its secret is shown in this answer only"},
	{.name = "listApiKeys",
	 .group = "auth",
	 .method = TC_GET,
	 .path = "/api/v1/keys",
	 .rule = TC_RULE_KEY_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = list_api_keys,
	 .answers = "200 ApiKeyPage",
	 .summary = "Lists API keys, newest first, without their secrets"},
	{.name = "revokeApiKey",
	 .group = "auth",
	 .method = TC_DELETE,
	 .path = "/api/v1/keys/{id}",
	 .rule = TC_RULE_KEY_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = revoke_fields,
	 .run = revoke_api_key,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Revokes an API key on every node"},
	{0},
};
