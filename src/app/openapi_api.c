/* app/openapi_api.c: the API about itself: /openapi.json for programs, /docs for people. Both are made at
 * start-up, from the table this is a part of. */
#include "app/procedures.h"
#include "app/schemas.h"
#include "app/server.h"
#include "app/version.h"
#include "core/openapi/openapi.h"
#include "modules/auth/auth_role.h"
#include <stdlib.h>
#include <string.h>

#define HTML_TYPE "text/html; charset=utf-8"

int tc_server_open_openapi(struct tc_server *server, struct tocsin_error *error)
{
	const struct tc_openapi_options options = {
		.tables = tc_procedure_tables,
		.tables_count = tc_procedure_tables_count,
		.schemas = tc_schemas,
		.version = TC_VERSION,
		.anonymous_rules = server->config->anonymous_read ? TC_AUTH_DEFAULT_RULES : 0,
	};
	int result = tc_openapi_format(&options, &server->openapi, error);

	return result ? result : tc_openapi_format_page(&options, &server->docs, error);
}

static void reply(struct tc_call *call, const struct tc_buffer *text)
{
	char *copy = malloc(text->length + 1);

	if (copy)
		memcpy(copy, text->data, text->length + 1);
	tc_call_reply_content(call, 200, tc_call_procedure(call)->content_type, copy, text->length);
}

static void get_openapi(struct tc_call *call)
{
	reply(call, &tc_server_from(tc_call_app(call))->openapi);
}

static void get_docs(struct tc_call *call)
{
	reply(call, &tc_server_from(tc_call_app(call))->docs);
}

const struct tc_procedure tc_openapi_procedures[] = {
	{.name = "getOpenApi",
	 .method = TC_GET,
	 .path = "/openapi.json",
	 .rule = TC_RULE_NONE,
	 .flags = TC_CALLER_IGNORED,
	 .run_on = TC_RUN_INLINE,
	 .run = get_openapi,
	 .content_type = "application/json",
	 .summary = "Describes this API to programs: OpenAPI 3.1"},
	{.name = "getDocs",
	 .method = TC_GET,
	 .path = "/docs",
	 .rule = TC_RULE_NONE,
	 .flags = TC_CALLER_IGNORED,
	 .run_on = TC_RUN_INLINE,
	 .run = get_docs,
	 .content_type = HTML_TYPE,
	 .summary = "Describes this API to people"},
	{.name = NULL},
};
