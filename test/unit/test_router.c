/* Tests of core/procedure/procedure.h through a real server: a request a row, and what must come back. */
#include "unit.h"

#include "base/macro.h"
#include "client.h"
#include "core/metrics.h"
#include "core/procedure/read.h"
#include "toy.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UUID    "0190a0b0-1234-7abc-8def-00000000abcd"
#define UPPER   "0190A0B0-1234-7ABC-8DEF-00000000ABCD"
#define JSON    "Content-Type: application/json\r\n"
#define MANAGER "Authorization: Bearer manager\r\n"

struct row {
	const char *method, *path, *headers, *body;
	int status;
	const char *words; /* the body has them; NULL: any */
};

static void check_rows(const struct row *rows, size_t count)
{
	struct toy toy;

	toy_start(&toy, 2, 10);
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		struct reply reply;
		const char *type;

		client_ask(toy.url, row->method, row->path, row->headers, row->body, &reply);
		if (reply.status != row->status || (row->words && !strstr(reply.body, row->words)))
			fail_msg("%s %s %s: %d %s", row->method, row->path,
				 row->body ? row->body : "", reply.status, reply.body);
		type = client_header(&reply, "Content-Type");
		if (row->status >= 400)
			assert_string_equal(type, "application/problem+json");
		if (row->status == 204)
			assert_null(type);
	}
	toy_stop(&toy);
}

static void test_routes(void **state)
{
	static const struct row rows[] = {
		{"GET", "/things", NULL, NULL, 200, "{}"},
		{"GET", "/things/" UPPER, NULL, NULL, 200, "{\"id\":\"" UUID "\"}"},
		{"GET", "/things/special", NULL, NULL, 201, "{\"id\":\"\"}"}, /* before {id} */
		{"GET", "/things/nope", NULL, NULL, 400,
		 "\"pointer\":\"id\",\"detail\":\"must be a UUID\""},
		{"GET", "/systems/a%2Fb%20%C3%A9/things?limit=5&open=true", NULL, NULL, 200,
		 "{\"limit\":5,\"open\":true,\"system\":\"a/b \xc3\xa9\"}"},
		{"GET", "/systems/12345678901/things", NULL, NULL, 400, "at most 10 characters"},
		{"GET", "/systems/x/things?limit=0", NULL, NULL, 400, "must be from 1 to 500"},
		{"GET", "/systems/x/things?limt=1", NULL, NULL, 400, "\"pointer\":\"limt\""},
		{"GET", "/systems//things", NULL, NULL, 404, NULL},
		{"DELETE", "/things/" UUID, MANAGER, NULL, 204, NULL},
		{"GET", "/", NULL, NULL, 404, "There is nothing at /"},
		{"GET", "/thing", NULL, NULL, 404, "There is nothing at /thing"},
		{"GET", "/things/", NULL, NULL, 404, NULL},
		{"GET", "/things/a/b/c/d/e/f/g/h/i/j", NULL, NULL, 404, NULL},
		{"PUT", "/things", NULL, NULL, 405, "PUT is not allowed here; GET, HEAD, POST is"},
		{"OPTIONS", "/things", NULL, NULL, 405, NULL},
		{"GET", "/text", NULL, NULL, 200, "plain"},
	};

	(void)state;
	check_rows(rows, TC_ARRAY_LENGTH(rows));
}

static void test_input(void **state)
{
	static const struct row rows[] = {
		{"POST", "/things", MANAGER JSON, "{\"title\":\"x\"}", 200, "{\"title\":\"x\"}"},
		{"POST", "/inline", JSON, "{\"title\":\"x\",\"note\":null}", 200,
		 "{\"note\":null,\"title\":\"x\"}"},
		{"POST", "/inline", JSON, "{\"title\":", 400, "line 1, column"},
		{"POST", "/inline", JSON, "{\"title\":\"x\",\"title\":\"x\"}", 400, "duplicate"},
		{"POST", "/inline", JSON, "{\"title\":\"\\u0000\"}", 400,
		 "\"pointer\":\"/title\",\"detail\":\"must not contain NUL"},
		{"POST", "/inline", JSON, "{\"title\":\"\xff\"}", 400, "not valid JSON"},
		{"POST", "/inline", JSON, "{\"titel\":\"x\",\"a\":1}", 400,
		 "\"errors\":[{\"pointer\":\"/titel\",\"detail\":\"unknown field\"},"
		 "{\"pointer\":\"/a\",\"detail\":\"unknown field\"},"
		 "{\"pointer\":\"/title\",\"detail\":\"is required\"}]"},
		{"POST", "/inline", JSON, "[]", 400, "must be a JSON object"},
		{"POST", "/inline", NULL, "{\"title\":\"x\"}", 415, "application/json"},
		{"POST", "/inline", "Content-Type: text/plain\r\n", "{\"title\":\"x\"}", 415, NULL},
		{"POST", "/inline", JSON, "", 400,
		 "\"pointer\":\"/title\",\"detail\":\"is required\""},
		{"POST", "/inline?a=1", JSON, "{\"title\":\"x\"}", 400, "\"pointer\":\"a\""},
		{"POST", "/things/" UUID "/resolve", NULL, NULL, 200, "{\"id\":\"" UUID "\"}"},
		{"POST", "/things/" UUID "/resolve", NULL, "", 200, NULL},
		{"POST", "/things/" UUID "/resolve", JSON, "{\"id\":\"" UUID "\"}", 400,
		 "\"pointer\":\"/id\""},
		{"POST", "/webhook", JSON, "{\"title\":\"x\",\"other\":[1]}", 200, "\"other\":[1]"},
		{"GET", "/things", JSON, "{\"a\":1}", 400, "\"pointer\":\"/a\""},
	};

	(void)state;
	check_rows(rows, TC_ARRAY_LENGTH(rows));
}

/* Seen to fail without compile_alias (404), and with the places of the row's own route (400). */
static void test_aliases(void **state)
{
	static const struct row rows[] = {
		{"POST", "/rest/toy/createThing", MANAGER JSON, "{\"title\":\"x\"}", 200,
		 "{\"title\":\"x\"}"},
		{"POST", "/rest/toy/resolveThing", JSON, "{\"id\":\"" UPPER "\",\"message\":\"m\"}",
		 200, "{\"id\":\"" UUID "\",\"message\":\"m\"}"},
		{"POST", "/rest/toy/deleteThing", MANAGER JSON, "{\"id\":\"" UUID "\"}", 204, NULL},
		{"POST", "/rest/toy/deleteThing", NULL, "{\"id\":\"" UUID "\"}", 401,
		 "deleteThing"},
		{"POST", "/rest/toy/deleteThing", MANAGER JSON, "{\"id\":5}", 400,
		 "\"pointer\":\"/id\",\"detail\":\"must be a UUID\""},
		{"POST", "/rest/toy/deleteThing", MANAGER JSON, "{\"id\":\"" UUID "\",\"x\":1}",
		 400, "\"pointer\":\"/x\",\"detail\":\"unknown field\""},
		{"POST", "/rest/toy/deleteThing?id=" UUID, MANAGER JSON, "{\"id\":\"" UUID "\"}",
		 400, "unknown query parameter"},
		{"POST", "/rest/toy/getSystem", JSON,
		 "{\"system\":\"a/b\",\"limit\":5,\"open\":true}", 200,
		 "{\"limit\":5,\"open\":true,\"system\":\"a/b\"}"},
		{"POST", "/rest/toy/getSystem", JSON, "{\"limit\":\"5\"}", 400,
		 "must be an integer"},
		{"GET", "/rest/toy/getSystem?system=a%2Fb&limit=5", NULL, NULL, 200,
		 "{\"limit\":5,\"system\":\"a/b\"}"},
		{"GET", "/rest/toy/getSystem", JSON, "{\"system\":\"x\"}", 400, "unknown field"},
		{"POST", "/rest/toy/deleteThing", MANAGER, NULL, 400,
		 "\"pointer\":\"/id\",\"detail\":\"is required\""},
		{"GET", "/rest/toy/deleteThing", NULL, NULL, 405, "POST is"},
		{"DELETE", "/rest/toy/getSystem", NULL, NULL, 405, "GET, HEAD, POST is"},
		{"POST", "/rest/toy/listThings", NULL, NULL, 404, NULL}, /* has no group */
		{"POST", "/rest/other/getSystem", NULL, NULL, 404, NULL},
	};

	(void)state;
	check_rows(rows, TC_ARRAY_LENGTH(rows));
}

static void test_access(void **state)
{
	static const struct row rows[] = {
		{"POST", "/things", NULL, NULL, 401, "createThing needs a session, or a key"},
		{"POST", "/things", "Authorization: Bearer reader\r\n", NULL, 403,
		 "may not call createThing"},
		{"POST", "/things", "Authorization: Bearer wrong\r\n", NULL, 401, "not known"},
		{"GET", "/things", "Authorization: Bearer wrong\r\n", NULL, 401, "not known"},
		{"POST", "/things", "Authorization: Bearer down\r\n", NULL, 503,
		 "The database cannot be reached"},
		/* who may not call learns nothing about the input */
		{"POST", "/things", NULL, "broken", 401, NULL},
		{"POST", "/things", "Authorization: Bearer reader\r\n" JSON, "broken", 403, NULL},
		{"POST", "/things", "Authorization: Bearer slow-stranger\r\n" JSON, "broken", 401,
		 NULL},
		/* found out on the work executor */
		{"POST", "/things", "Authorization: Bearer slow\r\n" JSON, "{\"title\":\"x\"}", 200,
		 "\"x\""},
		{"POST", "/things", "Authorization: Bearer slow\r\n" JSON, "{\"title\":5}", 400,
		 "/title"},
		{"POST", "/things", "Authorization: Bearer slow\r\n", "{}", 415, NULL},
		{"GET", "/whoami", "Authorization: Bearer slow\r\n", NULL, 201,
		 "{\"id\":\"slow\"}"},
		{"GET", "/whoami", "Authorization: Bearer manager\r\n", NULL, 201,
		 "{\"id\":\"manager\"}"},
		{"GET", "/things/" UUID, NULL, NULL, 200, NULL},
	};

	(void)state;
	check_rows(rows, TC_ARRAY_LENGTH(rows));
}

/* The authenticator sees every header that counts, also when it is asked again on the executor: seen to
 * fail with a header's row taken out of core/procedure/credentials.c, and with the copies left out. */
static void test_credentials(void **state)
{
#define SESSION "Cookie: session\r\n"
#define SLOW    "Cookie: slow-session\r\n"
#define PROOF   "X-Tocsin-CSRF: token\r\nOrigin: http://here\r\n"
	static const struct row rows[] = {
		{"GET", "/whoami", SESSION, NULL, 201, "{\"id\":\"user\"}"},
		{"POST", "/inline", SESSION JSON, "{\"title\":\"x\"}", 403, "X-Tocsin-CSRF"},
		{"POST", "/inline", SESSION PROOF JSON, "{\"title\":\"x\"}", 200, NULL},
		{"GET", "/whoami", SLOW, NULL, 201, "{\"id\":\"user\"}"},
		{"POST", "/inline", SLOW JSON, "{\"title\":\"x\"}", 403, "X-Tocsin-CSRF"},
		{"POST", "/inline", SLOW PROOF JSON, "{\"title\":\"x\"}", 200, NULL},
		{"POST", "/things", SESSION PROOF JSON, NULL, 403,
		 "This user may not call createThing"},
		/* a key wins, and needs no proof */
		{"POST", "/inline", "Authorization: Bearer manager\r\n" SESSION JSON,
		 "{\"title\":\"x\"}", 200, NULL},
		/* where nobody asks who calls, bad credentials do not matter */
		{"GET", "/open", "Authorization: Bearer wrong\r\n", NULL, 201, "{\"id\":\"\"}"},
		{"POST", "/login", SESSION, NULL, 201, "{\"id\":\"\"}"},
	};

	(void)state;
	check_rows(rows, TC_ARRAY_LENGTH(rows));
}

/* Headers that a handler asks for. */
static void test_answer_headers(void **state)
{
	struct toy toy;
	struct reply reply;

	(void)state;
	toy_start(&toy, 1, 10);
	client_ask(toy.url, "POST", "/cookie", NULL, NULL, &reply);
	assert_int_equal(reply.status, 429);
	assert_string_equal(client_header(&reply, "Set-Cookie"), "127.0.0.1=here");
	assert_string_equal(client_header(&reply, "Retry-After"), "77");
	toy_stop(&toy);
}

static void test_headers(void **state)
{
	struct toy toy;
	struct reply reply;

	(void)state;
	toy_start(&toy, 1, 10);
	client_ask(toy.url, "PUT", "/things/" UUID, NULL, NULL, &reply);
	assert_int_equal(reply.status, 405);
	assert_string_equal(client_header(&reply, "Allow"), "GET, HEAD, DELETE");
	client_ask(toy.url, "POST", "/things", NULL, NULL, &reply);
	assert_string_equal(client_header(&reply, "WWW-Authenticate"), "Bearer");
	assert_null(client_header(&reply, "Cache-Control"));
	client_ask(toy.url, "GET", "/things", "Authorization: Bearer down\r\n", NULL, &reply);
	assert_string_equal(client_header(&reply, "Retry-After"), "1");
	assert_null(strstr(reply.body, "secret"));
	client_ask(toy.url, "GET", "/things", NULL, NULL, &reply);
	assert_string_equal(client_header(&reply, "Cache-Control"), "no-store");
	assert_string_equal(client_header(&reply, "Content-Type"), "application/json");
	client_ask(toy.url, "HEAD", "/things", NULL, NULL, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(client_header(&reply, "Content-Length"), "2");
	assert_string_equal(client_header(&reply, "Cache-Control"), "no-store");
	client_ask(toy.url, "HEAD", "/inline", NULL, NULL, &reply);
	assert_int_equal(reply.status, 405);
	toy_stop(&toy);
}

static void test_errors(void **state)
{
	static const struct {
		int code, status, database_status;
		bool own_words; /* shown, where the database did not speak */
	} rows[] = {
		{TOCSIN_E_INVALID, 400, 400, true},   {TOCSIN_E_NOMEM, 503, 503, false},
		{TOCSIN_E_SYSTEM, 500, 500, false},   {TOCSIN_E_RANK, 500, 500, false},
		{TOCSIN_E_TIMEOUT, 503, 503, true},   {TOCSIN_E_UNAVAILABLE, 503, 503, false},
		{TOCSIN_E_LOCK_BUSY, 409, 409, true}, {TOCSIN_E_LOCK_TIMEOUT, 409, 409, true},
		{TOCSIN_E_LOCK_HELD, 409, 409, true}, {TOCSIN_E_LOCK_LOST, 409, 409, true},
		{TOCSIN_E_DEADLOCK, 409, 409, false}, {TOCSIN_E_RETRY, 409, 409, false},
		{TOCSIN_E_FULL, 503, 503, true},      {TOCSIN_E_CLOSED, 503, 503, false},
		{TOCSIN_E_EXISTS, 409, 409, true},    {TOCSIN_E_REFERENCE, 500, 500, false},
		{TOCSIN_E_NOT_FOUND, 404, 404, true}, {TOCSIN_E_DATABASE, 500, 500, false},
		{TOCSIN_E_COUNT, 500, 500, false},    {-1, 500, 500, false},
	};
	struct toy toy;

	(void)state;
	_Static_assert(TC_ARRAY_LENGTH(rows) == TOCSIN_E_COUNT + 1, "every code but OK has a row");
	toy_start(&toy, 1, 10);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		struct reply reply;
		char path[64];

		snprintf(path, sizeof(path), "/fail?code=%d", rows[i].code);
		client_ask(toy.url, "GET", path, NULL, NULL, &reply);
		assert_int_equal(reply.status, rows[i].status);
		assert_int_equal(strstr(reply.body, "its own words") != NULL, rows[i].own_words);
		/* What passes says so: 503, and every conflict but that of what is there already. */
		assert_int_equal(client_header(&reply, "Retry-After") != NULL,
				 rows[i].status == 503 || (rows[i].status == 409 &&
							   rows[i].code != TOCSIN_E_EXISTS));
		snprintf(path, sizeof(path), "/fail?code=%d&database=true", rows[i].code);
		client_ask(toy.url, "GET", path, NULL, NULL, &reply);
		assert_int_equal(reply.status, rows[i].database_status);
		assert_null(strstr(reply.body, "its own words")); /* they may hold SQL */
		assert_null(strstr(reply.body, "XX000"));
	}
	toy_stop(&toy);
}

static unsigned queued(const struct toy *toy)
{
	struct tc_executor_stats stats;

	tc_executor_get_stats(toy->work, &stats);
	return stats.queued;
}

/* One thread busy and one place taken: the third is told so at once; inline rows go on. */
static void test_full_queue(void **state)
{
	struct toy toy;
	struct reply reply;
	int fds[2];

	(void)state;
	toy_start(&toy, 1, 1);
	fds[0] = client_connect(toy.url);
	client_send_request(fds[0], "POST", "/keep", NULL, "", 0);
	toy_await_kept(1);
	fds[1] = client_connect(toy.url);
	client_send_request(fds[1], "POST", "/keep", NULL, "", 0);
	do /* the second is on its way through another thread */
		client_ask(toy.url, "GET", "/things", NULL, NULL, &reply);
	while (queued(&toy) == 0);
	client_ask(toy.url, "POST", "/keep", NULL, NULL, &reply);
	assert_int_equal(reply.status, 503);
	assert_string_equal(client_header(&reply, "Retry-After"), "1");
	client_ask(toy.url, "GET", "/whoami", "Authorization: Bearer slow\r\n", NULL, &reply);
	assert_int_equal(reply.status, 503);
	client_ask(toy.url, "GET", "/things", NULL, NULL, &reply);
	assert_int_equal(reply.status, 200);
	toy_release_kept();
	for (unsigned i = 0; i < 2; i++) {
		client_read(fds[i], false, &reply);
		assert_int_equal(reply.status, 200);
		close(fds[i]);
	}
	toy_stop(&toy);
}

static void test_metrics(void **state)
{
	TC_BUFFER out = {0};
	struct toy toy;
	struct reply reply;

	(void)state;
	toy_start(&toy, 1, 10);
	client_ask(toy.url, "POST", "/things/" UUID "/resolve", NULL, NULL, &reply);
	client_ask(toy.url, "POST", "/things/x/resolve", NULL, NULL, &reply);
	client_ask(toy.url, "PUT", "/things", NULL, NULL, &reply);
	toy_stop(&toy);
	tc_metrics_format(&out);
	assert_non_null(strstr(out.data, "{procedure=\"resolveThing\",status=\"200\"}"));
	assert_non_null(strstr(out.data, "{procedure=\"resolveThing\",status=\"400\"}"));
	assert_non_null(strstr(out.data, "{procedure=\"unmatched\",status=\"405\"}"));
}

static void run_nothing(struct tc_call *call)
{
	(void)call;
}

static enum tc_auth_answer refuse_all(struct tc_app *app, const struct tc_credentials *credentials,
				      bool may_block, struct tc_caller *ret_caller,
				      struct tocsin_error *error)
{
	(void)app, (void)credentials, (void)may_block, (void)ret_caller, (void)error;
	return TC_AUTH_REFUSED;
}

/* A table that contradicts itself does not start. */
static void test_bad_tables(void **state)
{
	static const struct tc_field id[] = {
		{.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH}, {0}};
	static const struct tc_field no_choices[] = {{.name = "s", .type = TC_FIELD_ENUM}, {0}};
	static const struct tc_field twins[] = {
		{.name = "n", .type = TC_FIELD_ANY},
		{.name = "n", .type = TC_FIELD_ANY, .place = TC_IN_QUERY},
		{0}};
	static const struct tc_read nothing = {0};
	static const struct tc_procedure bad[][3] = {
		{{.name = "a", .path = "/a", .fields = twins, .run = run_nothing}, {0}},
		{{.name = "a", .group = "g", .path = "/a", .run = run_nothing},
		 {.name = "a", .group = "g", .path = "/b", .run = run_nothing},
		 {0}},
		{{.name = "a", .path = "/a/{id}", .run = run_nothing}, {0}},
		{{.name = "a", .path = "/a", .fields = id, .run = run_nothing}, {0}},
		{{.name = "a", .path = "a", .run = run_nothing}, {0}},
		{{.name = "a", .path = "/a"}, {0}},
		{{.name = "a", .path = "/a", .run = run_nothing, .read = &nothing}, {0}},
		{{.name = "a", .path = "/a", .read = &nothing}, {0}},
		{{.name = "a",
		  .path = "/a",
		  .read = &nothing,
		  .run_on = TC_RUN_WORK,
		  .method = TC_POST},
		 {0}},
		{{.name = "a", .path = "/a", .fields = no_choices, .run = run_nothing}, {0}},
		{{.name = "a", .path = "/a", .run = run_nothing},
		 {.name = "b", .path = "/a", .run = run_nothing},
		 {0}},
	};
	struct tc_executor *work = NULL;
	struct tc_router *router = NULL;
	struct tocsin_error error = {0};

	(void)state;
	assert_int_equal(tc_executor_new(&work, "work", 1, 1, NULL), TOCSIN_OK);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(bad); i++) {
		const struct tc_procedure *const tables[] = {bad[i]};
		struct tc_router_options options = {.tables = tables,
						    .tables_count = 1,
						    .authenticate = refuse_all,
						    .work = work};

		assert_int_equal(tc_router_new(&router, &options, &error), TOCSIN_E_INVALID);
		assert_null(router);
		assert_non_null(strstr(error.message, "a"));
	}
	tc_executor_free(work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),      cmocka_unit_test(test_input),
		cmocka_unit_test(test_aliases),     cmocka_unit_test(test_access),
		cmocka_unit_test(test_credentials), cmocka_unit_test(test_answer_headers),
		cmocka_unit_test(test_headers),     cmocka_unit_test(test_errors),
		cmocka_unit_test(test_full_queue),  cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_bad_tables),
	};

	return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
