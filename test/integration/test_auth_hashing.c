/* test/integration/test_auth_hashing.c: passwords are hashed one at a time, on one thread, and nothing waits for it but
 * the call itself: no work thread, no connection, no transaction; with an Idempotency-Key as without.
 *
 * A node with one work thread and one work connection; its hashing thread is held up by a call of the test's. While
 * it is, calls that bring a password must have given back what they took.
 *
 * How each was seen to fail: with tc_auth_submit and tc_idempotency_rejoin going on where they are for a call with an
 * Idempotency-Key, the user is there while the thread is still held up; with the attempt counted in the call's own
 * transaction, too, no connection is taken and given back for it; with a longer queue nobody is refused, until patience
 * runs out; without tc_auth_login_take_back those who find the queue full have failed to log in. */
#include "base/memory.h"
#include "modules/auth/auth.h"
#include "modules/auth/auth_login.h"
#include "modules/auth/auth_user.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include "support/site.h"
#include "unit/client.h"
#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAITING_MAX 4
#define QUEUE_MAX   64 /* of the hashing thread (HASHER_QUEUE_MAX) */

static struct {
	struct tc_site site;
	struct tc_gate held, let_go;
	unsigned holds; /* how often the hashing thread was held up */
	char user_id[37];
	uint64_t acquired; /* connections, before the calls under test */
} node;

/* --- a call that holds the hashing thread up --- */

static void hold_job(struct tc_job *job)
{
	tc_gate_signal(&node.held);
	tc_gate_wait(&node.let_go, node.holds);
	tc_call_reply_empty(tc_call_from_job(job), 204);
}

static void run_hold(struct tc_call *call)
{
	tc_auth_submit(tc_call_app(call)->auth, call, hold_job);
}

/* --- a call that only queues for it --- */

static void pass_job(struct tc_job *job)
{
	tc_call_reply_empty(tc_call_from_job(job), 204);
}

static void run_pass(struct tc_call *call)
{
	tc_auth_submit(tc_call_app(call)->auth, call, pass_job);
}

static const struct tc_field no_fields[] = {{.type = TC_FIELD_END}};
static const struct tc_procedure hold_procedures[] = {
	{.name = "hold", .method = TC_POST, .path = "/hold", .fields = no_fields, .run = run_hold},
	{.name = "pass", .method = TC_POST, .path = "/pass", .fields = no_fields, .run = run_pass},
	{0},
};

/* Everybody is Ada. */
static void identify(struct tc_caller *caller)
{
	snprintf(caller->id, sizeof(caller->id), "user:%s", node.user_id);
	snprintf(caller->session, sizeof(caller->session), "%s", node.user_id);
}

/* --- the node --- */

static int set_up(void **state)
{
	static const struct tc_procedure *const tables[] = {
		tc_auth_user_procedures, tc_auth_session_procedures, hold_procedures};
	static const struct tc_site_options options = {.tables = tables,
						       .tables_count = TC_ARRAY_LENGTH(tables),
						       .work_max = 1,
						       .connections_max = QUEUE_MAX + 20,
						       .identify = identify};
	struct tc_auth_options auth = {.session_hours = 1};
	struct tocsin_error error;

	tc_gate_init(&node.held);
	tc_gate_init(&node.let_go);
	if (sodium_init() < 0 || tc_site_setup(state, &node.site, &options))
		return -1;
	auth.work_pool = node.site.app.work_pool;
	if (tc_auth_new(&node.site.app.auth, &auth, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	int result = tc_site_teardown(state, &node.site);

	tc_gate_deinit(&node.held);
	tc_gate_deinit(&node.let_go);
	return result;
}

static struct tocsin_pool_stats stats(void)
{
	struct tocsin_pool_stats stats;

	tocsin_pool_get_stats(node.site.app.work_pool, &stats);
	return stats;
}

/* A database with Ada alone. */
static int clean(void **state)
{
	struct tc_auth_user_request request = {.name = "ada", .role = "admin"};
	char hash[TC_AUTH_PASSWORD_HASH_SIZE];
	struct tocsin_error error;

	(void)state;
	tc_test_clean("users, sessions, login_attempts, idempotency_answers");
	assert_ok(tc_auth_password_hash("correct horse", hash, &error));
	request.password_hash = hash;
	assert_ok(tc_auth_user_create(node.site.app.work_pool, &request, NULL, &error));
	assert_ok(tc_auth_user_find(node.site.app.work_pool, "ada", node.user_id, &error));
	return 0;
}

/* --- calls that wait for their answers --- */

struct waiting {
	int holder, calls[WAITING_MAX];
	unsigned count;
};

static int send_call(const char *path, const char *key, const char *body)
{
	int fd = client_connect(tc_http_server_url(node.site.server));
	char headers[128];

	assert_true(fd >= 0);
	snprintf(headers, sizeof(headers), "Content-Type: application/json\r\n%s%s%s",
		 key ? "Idempotency-Key: " : "", key ? key : "", key ? "\r\n" : "");
	client_send_request(fd, "POST", path, headers, body, strlen(body));
	return fd;
}

/* Holds the hashing thread up. */
static void hold(struct waiting *waiting)
{
	node.holds++; /* before the thread that is held up reads it */
	*waiting = (struct waiting){.holder = send_call("/hold", NULL, "{}")};
	assert_true(tc_gate_wait(&node.held, node.holds));
	node.acquired = stats().acquired;
}

static bool has_given_back(void *argument)
{
	const unsigned *acquisitions = argument;
	struct tocsin_pool_stats now = stats();

	return now.acquired >= node.acquired + *acquisitions && now.in_use == 0;
}

/* A call that acquires so many connections, one after the other, before it waits for the hashing thread. */
static void add_call(struct waiting *waiting, const char *path, const char *key, const char *body,
		     unsigned acquisitions)
{
	waiting->calls[waiting->count++] = send_call(path, key, body);
	assert_true(tc_wait_until(has_given_back, &acquisitions));
	node.acquired += acquisitions;
	assert_number("select count(*) from pg_stat_activity where backend_type "
		      "= 'client backend' and pid <> pg_backend_pid() and "
		      "state <> 'idle'",
		      0);
}

/* Lets go; the answers, which must all have this status, in the order of the calls. */
static void finish(struct waiting *waiting, int status, struct reply *replies)
{
	struct reply reply;

	tc_gate_signal(&node.let_go);
	client_read(waiting->holder, false, &reply);
	assert_int_equal(reply.status, 204);
	close(waiting->holder);
	for (unsigned i = 0; i < waiting->count; i++) {
		client_read(waiting->calls[i], false, &replies[i]);
		close(waiting->calls[i]);
		assert_int_equal(replies[i].status, status);
	}
}

static bool is_replay(const struct reply *reply)
{
	return client_header(reply, "Idempotency-Replayed") != NULL;
}

/* --- tests --- */

#define USERS "/api/v1/users"
#define GRACE "{\"name\":\"grace\",\"role\":\"viewer\",\"password\":\"another horse\"}"

/* Twice, with one key: both hash, one makes the user, the other gets its answer. */
static void test_new_user(void **state)
{
	struct reply replies[WAITING_MAX];
	struct waiting waiting;

	(void)state;
	hold(&waiting);
	add_call(&waiting, USERS, "grace", GRACE, 1);
	add_call(&waiting, USERS, "grace", GRACE, 1);
	assert_number("select count(*) from users", 1);
	finish(&waiting, 201, replies);
	assert_string_equal(replies[0].body, replies[1].body);
	assert_false(is_replay(&replies[0]));
	assert_true(is_replay(&replies[1]));
	assert_number("select count(*) from users", 2);
	assert_number("select count(*) from idempotency_answers", 1);
}

#define CHANGE "/api/v1/session/password"
#define RIGHT  "{\"currentPassword\":\"correct horse\",\"newPassword\":\"another horse\"}"
#define WRONG  "{\"currentPassword\":\"correct mouse\",\"newPassword\":\"another horse\"}"

/* The attempt is counted, and committed, before the password is looked at. */
static void test_new_password(void **state)
{
	struct reply replies[WAITING_MAX];
	struct waiting waiting;

	(void)state;
	hold(&waiting);
	add_call(&waiting, CHANGE, "change", RIGHT, 2);
	assert_number("select attempts from login_attempts", 1);
	add_call(&waiting, CHANGE, "change", RIGHT, 2);
	assert_number("select attempts from login_attempts", 2);
	finish(&waiting, 204, replies);
	assert_false(is_replay(&replies[0]));
	assert_true(is_replay(&replies[1]));
	assert_number("select password_version from users", 2);
}

/* A wrong password is an answer, too: given again, though it was checked twice; and it counts without being
 * part of anybody's transaction. */
static void test_wrong_password(void **state)
{
	struct reply replies[WAITING_MAX];
	struct waiting waiting;

	(void)state;
	hold(&waiting);
	add_call(&waiting, CHANGE, "wrong", WRONG, 2);
	add_call(&waiting, CHANGE, "wrong", WRONG, 2);
	add_call(&waiting, CHANGE, NULL, WRONG, 1);
	finish(&waiting, 400, replies);
	assert_string_equal(replies[0].body, replies[1].body);
	assert_false(is_replay(&replies[0]));
	assert_true(is_replay(&replies[1]));
	assert_false(is_replay(&replies[2]));
	assert_number("select attempts from login_attempts", 3);
	assert_number("select password_version from users", 1);
}

#define SESSION "/api/v1/session"
#define LOG_IN  "{\"name\":\"ada\",\"password\":\"correct horse\"}"

/* The call that is answered first. */
static unsigned find_answered(const int *calls, unsigned count)
{
	struct pollfd fds[QUEUE_MAX + 1];
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = calls[i], .events = POLLIN};
	assert_true(poll(fds, count, TC_PATIENCE_MS) > 0);
	while (!fds[found].revents)
		found++;
	return found;
}

static void ask(const char *path, const char *body, int status, struct reply *ret_reply)
{
	client_ask(tc_http_server_url(node.site.server), "POST", path,
		   "Content-Type: application/json\r\n", body, ret_reply);
	assert_int_equal(ret_reply->status, status);
}

static void log_in(int status, struct reply *ret_reply)
{
	ask(SESSION, LOG_IN, status, ret_reply);
}

/* One call more than it holds: whichever comes last is told so while the others wait, and so is a log-in. */
static void test_a_full_queue(void **state)
{
	int calls[QUEUE_MAX + 1];
	struct waiting waiting;
	struct reply reply;
	unsigned refused;

	(void)state;
	hold(&waiting);
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(calls); i++)
		calls[i] = send_call("/pass", NULL, "{}");
	refused = find_answered(calls, TC_ARRAY_LENGTH(calls));
	client_read(calls[refused], false, &reply);
	assert_int_equal(reply.status, 503);
	assert_non_null(client_header(&reply, "Retry-After"));
	log_in(503, &reply);
	assert_non_null(client_header(&reply, "Retry-After"));
	ask(CHANGE, RIGHT, 503, &reply);
	/* Nobody looked at a password. */
	assert_number("select count(*) from login_attempts", 2);
	assert_number("select sum(attempts) from login_attempts", 0);
	finish(&waiting, 204, NULL);
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(calls); i++) {
		if (i != refused) {
			client_read(calls[i], false, &reply);
			assert_int_equal(reply.status, 204);
		}
		close(calls[i]);
	}
	log_in(201, &reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_new_user, clean),
		cmocka_unit_test_setup(test_new_password, clean),
		cmocka_unit_test_setup(test_wrong_password, clean),
		cmocka_unit_test_setup(test_a_full_queue, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
