/* toy.c: see toy.h. */
#include "toy.h"

#include "unit.h"

#include "base/thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned kept;
static bool released;

/* Answers with the input it was given. */
static void run_echo(struct tc_call *call)
{
	char *text = json_dumps(tc_call_input(call), JSON_SORT_KEYS | JSON_COMPACT);

	tc_call_reply(call, 200, text, text ? strlen(text) : 0);
}

static void run_whoami(struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);
	TC_BUFFER body = {0};

	tc_buffer_append_text(&body, "{\"id\":");
	tc_buffer_append_json(&body, caller->id);
	tc_buffer_append_text(&body, "}");
	tc_call_reply_buffer(call, 201, &body);
}

static void run_cookie(struct tc_call *call)
{
	char address[TC_HTTP_ADDRESS_SIZE], *cookie = NULL;

	tc_http_request_address(tc_call_request(call), address);
	if (asprintf(&cookie, "%s=here", address) < 0)
		abort();
	tc_call_set_cookie(call, cookie);
	tc_call_set_retry_after(call, 77);
	tc_call_reply_problem_text(call, 429, "slowly");
}

static void run_keep(struct tc_call *call)
{
	tc_mutex_lock(&mutex);
	kept++;
	pthread_cond_broadcast(&changed);
	while (!released)
		tc_cond_wait(&changed, &mutex);
	tc_mutex_unlock(&mutex);
	tc_call_reply_copy(call, 200, "{}");
}

static void run_empty(struct tc_call *call)
{
	tc_call_reply_empty(call, 204);
}

static void run_error(struct tc_call *call)
{
	struct tocsin_error error = {.code = (int)tc_call_integer(call, "code", 0),
				     .message = "its own words"};

	if (tc_call_boolean(call, "database", false))
		strcpy(error.sqlstate, "XX000");
	tc_call_reply_error(call, &error);
}

static void run_text(struct tc_call *call)
{
	tc_call_reply_content(call, 200, "text/plain", strdup("plain"), 5);
}

static const struct tc_field thing_fields[] = {
	{.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH},
	{0},
};
static const struct tc_field system_fields[] = {
	{.name = "system",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_PATH,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = 10},
	{.name = "limit", .type = TC_FIELD_INTEGER, .place = TC_IN_QUERY, .min = 1, .max = 500},
	{.name = "open", .type = TC_FIELD_BOOLEAN, .place = TC_IN_QUERY},
	{0},
};
static const struct tc_field create_fields[] = {
	{.name = "title", .type = TC_FIELD_STRING, .flags = TC_REQUIRED, .min = 1, .max = 20},
	{.name = "note", .type = TC_FIELD_STRING, .flags = TC_NULLABLE},
	{0},
};
static const struct tc_field resolve_fields[] = {
	{.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH},
	{.name = "message", .type = TC_FIELD_STRING},
	{0},
};
static const struct tc_field error_fields[] = {
	{.name = "code", .type = TC_FIELD_INTEGER, .place = TC_IN_QUERY},
	{.name = "database", .type = TC_FIELD_BOOLEAN, .place = TC_IN_QUERY},
	{0},
};

static const struct tc_procedure things[] = {
	{.name = "listThings", .method = TC_GET, .path = "/things", .run = run_echo},
	{.name = "createThing",
	 .group = "toy",
	 .method = TC_POST,
	 .path = "/things",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = create_fields,
	 .run = run_echo},
	{.name = "createInline",
	 .method = TC_POST,
	 .path = "/inline",
	 .fields = create_fields,
	 .run = run_echo},
	{.name = "getThing",
	 .method = TC_GET,
	 .path = "/things/{id}",
	 .fields = thing_fields,
	 .rule = TC_RULE_INCIDENT_READ,
	 .run = run_echo},
	{.name = "deleteThing",
	 .group = "toy",
	 .method = TC_DELETE,
	 .path = "/things/{id}",
	 .fields = thing_fields,
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run = run_empty},
	{.name = "specialThing", .method = TC_GET, .path = "/things/special", .run = run_whoami},
	{.name = "resolveThing",
	 .group = "toy",
	 .method = TC_POST,
	 .path = "/things/{id}/resolve",
	 .fields = resolve_fields,
	 .run_on = TC_RUN_WORK,
	 .run = run_echo},
	{0},
};
static const struct tc_procedure others[] = {
	{.name = "getSystem",
	 .group = "toy",
	 .method = TC_GET,
	 .path = "/systems/{system}/things",
	 .fields = system_fields,
	 .run = run_echo},
	{.name = "whoami", .method = TC_GET, .path = "/whoami", .run = run_whoami},
	{.name = "keep",
	 .method = TC_POST,
	 .path = "/keep",
	 .run_on = TC_RUN_WORK,
	 .run = run_keep},
	{.name = "fail",
	 .method = TC_GET,
	 .path = "/fail",
	 .fields = error_fields,
	 .run = run_error},
	{.name = "open",
	 .method = TC_GET,
	 .path = "/open",
	 .flags = TC_CALLER_IGNORED,
	 .run = run_whoami},
	{.name = "logIn",
	 .method = TC_POST,
	 .path = "/login",
	 .flags = TC_CALLER_IGNORED,
	 .run = run_whoami},
	{.name = "cookie",
	 .method = TC_POST,
	 .path = "/cookie",
	 .flags = TC_CALLER_IGNORED,
	 .run = run_cookie},
	{.name = "text", .method = TC_GET, .path = "/text", .run = run_text},
	{.name = "webhook",
	 .method = TC_POST,
	 .path = "/webhook",
	 .fields = create_fields,
	 .flags = TC_UNKNOWN_FIELDS_ALLOWED,
	 .run = run_echo},
	{0},
};

static enum tc_auth_answer authenticate(struct tc_app *app,
					const struct tc_credentials *credentials, bool may_block,
					struct tc_caller *ret_caller, struct tocsin_error *error)
{
	const char *authorization = credentials->authorization;

	(void)app;
	if (!authorization && credentials->cookie) {
		if (strcmp(credentials->cookie, "slow-session") == 0 && !may_block)
			return TC_AUTH_AGAIN;
		strcpy(ret_caller->id, "user");
		strcpy(ret_caller->session, "session");
		return credentials->is_read || (credentials->csrf &&
						strcmp(credentials->csrf, "token") == 0 &&
						credentials->origin && credentials->host)
			       ? TC_AUTH_OK
			       : TC_AUTH_FORGED;
	}
	if (!authorization) {
		ret_caller->is_anonymous = true;
		ret_caller->rules = TC_RULE_INCIDENT_READ;
		return TC_AUTH_OK;
	}
	if (strncmp(authorization, "Bearer slow", 11) == 0 && !may_block)
		return TC_AUTH_AGAIN;
	if (strcmp(authorization, "Bearer down") == 0) {
		tocsin_error_set(error, TOCSIN_E_UNAVAILABLE,
				 "connection to server at \"secret\" failed");
		return TC_AUTH_FAILED;
	}
	if (strcmp(authorization, "Bearer reader") == 0)
		ret_caller->rules = TC_RULE_INCIDENT_READ;
	else if (strcmp(authorization, "Bearer manager") == 0 ||
		 strcmp(authorization, "Bearer slow") == 0)
		ret_caller->rules = TC_RULE_INCIDENT_READ | TC_RULE_INCIDENT_MANAGE;
	else
		return TC_AUTH_REFUSED;
	snprintf(ret_caller->id, sizeof(ret_caller->id), "%s", authorization + strlen("Bearer "));
	return TC_AUTH_OK;
}

void toy_start(struct toy *toy, unsigned work_threads, unsigned queue_max)
{
	static const struct tc_procedure *const tables[] = {things, others};
	struct tc_router_options options = {
		.tables = tables, .tables_count = 2, .authenticate = authenticate};
	struct tc_http_options http = {.listen = "127.0.0.1:0",
				       .threads = 2,
				       .max_body = 1048576,
				       .max_connections = 100,
				       .idle_timeout_s = 30,
				       .handler = tc_router_handle};

	kept = 0;
	released = false;
	assert_int_equal(tc_executor_new(&toy->work, "work", work_threads, queue_max, NULL),
			 TOCSIN_OK);
	options.work = toy->work;
	assert_int_equal(tc_router_new(&toy->router, &options, NULL), TOCSIN_OK);
	http.userdata = toy->router;
	assert_int_equal(tc_http_server_new(&toy->server, &http, NULL), TOCSIN_OK);
	toy->url = tc_http_server_url(toy->server);
}

void toy_stop(struct toy *toy)
{
	tc_http_server_free(toy->server, 10000);
	tc_executor_free(toy->work);
	tc_router_free(toy->router);
}

void toy_await_kept(unsigned count)
{
	TC_LOCKED(&mutex);

	while (kept < count)
		tc_cond_wait(&changed, &mutex);
}

void toy_release_kept(void)
{
	TC_LOCKED(&mutex);

	released = true;
	pthread_cond_broadcast(&changed);
}
