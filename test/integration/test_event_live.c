/* test/integration/test_event_live.c: a stream that is being opened while what its caller may do changes.
 *
 * A node that takes everybody for whom the test says, and lets changes happen where no client could time them: after
 * the call has begun and its caller is known, and before there is a stream that they could end. One that
 * stays open is told of an event.
 *
 * How each was seen to fail: with changes that are not remembered, the streams that must end go on; with changes that
 * are forgotten without a word, one goes on after a crowd of them; with all that are remembered taken for the
 * caller's, and with all that were forgotten taken for later ones, those that must go on end. */
#include "base/macro.h"
#include "core/outbox/outbox.h"
#include "core/work/executor.h"
#include "modules/event/live.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/site.h"
#include "unit/client.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Fewer changes than are remembered, and more (TC_EVENT_CHANGES_MAX). */
#define SOME  10u
#define CROWD 100u

struct change {
	const char *caller, *session; /* who opens the stream */
	const char *changed;          /* whose rights change, before the call or in it */
	unsigned before, meanwhile;   /* how often */
	bool is_rechecked;            /* in the call, to its end */
	bool is_ended;
};

static struct {
	struct tc_site site;
	_Atomic(const struct change *) change;
	struct tc_job turn;
	struct tc_gate turn_came;
	unsigned turns;
} node;

static void end_access(const struct change *change, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		tc_event_live_end_access(node.site.app.live, change->changed);
}

static void run_turn(struct tc_job *job)
{
	(void)job;
	tc_gate_signal(&node.turn_came);
}

/* Returns when it is done: the executor has one thread, which does one job after the other. */
static void recheck(void)
{
	tc_event_live_recheck(node.site.app.live);
	node.turn = (struct tc_job){.run = run_turn};
	tc_list_init(&node.turn.node);
	if (tc_executor_submit(node.site.app.work, &node.turn) != TOCSIN_OK ||
	    !tc_gate_wait(&node.turn_came, ++node.turns))
		abort(); /* not on the main thread, perhaps: no assertions */
}

static void identify(struct tc_caller *caller)
{
	const struct change *change = atomic_load(&node.change);

	snprintf(caller->id, sizeof(caller->id), "%s", change->caller);
	snprintf(caller->session, sizeof(caller->session), "%s", change->session);
	caller->role = "viewer"; /* as the keys that are rechecked have */
	if (change->is_rechecked)
		recheck();
	end_access(change, change->meanwhile);
}

static void run_stream(struct tc_call *call)
{
	tc_event_live_open(tc_call_app(call)->live, call, NULL, "client");
}

static const struct tc_field no_fields[] = {{.type = TC_FIELD_END}};
static const struct tc_procedure procedures[] = {
	{.name = "stream",
	 .method = TC_GET,
	 .path = "/stream",
	 .fields = no_fields,
	 .run = run_stream},
	{0},
};

/* --- the node --- */

static int open_live(struct tocsin_error *error)
{
	const struct tc_outbox_options outbox = {.pool = node.site.app.work_pool};
	struct tc_event_live_options live = {.work = node.site.app.work,
					     .pool = node.site.app.work_pool,
					     .streams_max = 100,
					     .caller_streams_max = 100};
	int result = tc_outbox_new(&node.site.app.outbox, &outbox, error);

	live.outbox = node.site.app.outbox;
	if (result == TOCSIN_OK)
		result = tc_event_live_new(&node.site.app.live, &live, error);
	return result ? result : tc_outbox_start(node.site.app.outbox, error);
}

static int set_up(void **state)
{
	static const struct tc_procedure *const tables[] = {procedures};
	static const struct tc_site_options options = {.tables = tables,
						       .tables_count = TC_ARRAY_LENGTH(tables),
						       .work_max = 4,
						       .connections_max = 20,
						       .identify = identify};
	struct tocsin_error error;

	tc_gate_init(&node.turn_came);
	if (tc_site_setup(state, &node.site, &options))
		return -1;
	if (open_live(&error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	int result = tc_site_teardown(state, &node.site);

	tc_gate_deinit(&node.turn_came);
	return result;
}

/* --- streams --- */

#define ENDED "\r\n0\r\n\r\n"
#define TOLD  "\"incidentId\":\"still\""
/* Of a quiet stream, after 15 s; one that was opened too late for a change ends at once. */
#define COMMENT "\n:\n"

struct stream {
	int fd;
	size_t length;
	char text[16384];
};

static void open_stream(struct stream *stream, const struct change *change)
{
	atomic_store(&node.change, change);
	end_access(change, change->before);
	*stream = (struct stream){.fd = client_connect(tc_http_server_url(node.site.server))};
	assert_true(stream->fd >= 0);
	client_send_request(stream->fd, "GET", "/stream", NULL, NULL, 0);
}

/* Reads until one of the two has come: whether it is `text`. */
static bool comes_first(struct stream *stream, const char *text, const char *other)
{
	while (!strstr(stream->text, text)) {
		ssize_t got = recv(stream->fd, stream->text + stream->length,
				   sizeof(stream->text) - 1 - stream->length, 0);

		if (got <= 0 || strstr(stream->text, other))
			return false;
		stream->length += (size_t)got;
	}
	return true;
}

/* It is told of what happens. */
static void check_open(struct stream *stream)
{
	free(tc_test_sql("insert into events (kind, subject, action) values "
			 "('incident.lifecycle.changed', 'still', 'updated')"));
	tc_outbox_committed(node.site.app.outbox);
	assert_true(comes_first(stream, TOLD, ENDED));
}

static void check(const struct change *change)
{
	struct stream stream;

	open_stream(&stream, change);
	if (change->is_ended) {
		assert_true(comes_first(&stream, ENDED, COMMENT));
		close(stream.fd);
		return;
	}
	assert_true(comes_first(&stream, "retry:", ENDED));
	check_open(&stream);
	/* It is known, and so a change that comes now ends it. */
	tc_event_live_end_access(node.site.app.live, change->caller);
	assert_true(comes_first(&stream, ENDED, COMMENT));
	close(stream.fd);
}

/* --- tests --- */

static void test_who_was_changed_meanwhile(void **state)
{
	static const struct change changes[] = {
		{"key:k1", "", "k1", .meanwhile = 1, .is_ended = true},
		{"user:u1", "s1", "s1", .meanwhile = 1, .is_ended = true},
		{"user:u1", "s1", "user:u1", .meanwhile = 1, .is_ended = true},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(changes); i++)
		check(&changes[i]);
}

static void test_others(void **state)
{
	static const struct change changes[] = {
		{"key:k1", "", "k2", .meanwhile = SOME},
		{"user:u1", "s1", "s2", .meanwhile = SOME},
		{"user:u1", "s1", "u1", .meanwhile = SOME}, /* a key with the user's number */
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(changes); i++)
		check(&changes[i]);
}

/* The caller is known as he is since then. */
static void test_changes_before_the_call(void **state)
{
	static const struct change changes[] = {
		{"key:k1", "", "k1", .before = 1},
		{"key:k1", "", "k1", .before = CROWD},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(changes); i++)
		check(&changes[i]);
}

/* One of those that are no longer remembered may have been the caller's. */
static void test_more_than_are_remembered(void **state)
{
	static const struct change change = {"key:k1", "", "k2", .meanwhile = CROWD,
					     .is_ended = true};

	(void)state;
	check(&change);
}

/* --- changes that were missed --- */

#define KEY "0190a0b0-0000-7000-8000-0123456789ab"

static void write_key(void)
{
	free(tc_test_sql("insert into api_keys (id, name, role, secret_hash) values ('" KEY
			 "', 'key', 'viewer', sha256('')) on conflict (id) do update set "
			 "revoked_at = null"));
}

static void revoke_key(void)
{
	free(tc_test_sql("update api_keys set revoked_at = now() where id = '" KEY "'"));
}

/* After the recheck has looked at all streams, and its caller is known from before. */
static void test_rechecked_while_it_is_opened(void **state)
{
	static const struct change works = {"key:" KEY, "", KEY, .is_rechecked = true};
	static const struct change is_gone = {"key:" KEY, "", KEY, .is_rechecked = true,
					      .is_ended = true};

	(void)state;
	write_key();
	check(&works);
	revoke_key();
	check(&is_gone);
}

static void test_rechecked_while_it_is_open(void **state)
{
	static const struct change change = {"key:" KEY, "", KEY, .before = 0};
	struct stream stream;

	(void)state;
	write_key();
	open_stream(&stream, &change);
	assert_true(comes_first(&stream, "retry:", ENDED));
	recheck();
	check_open(&stream);
	revoke_key();
	recheck();
	assert_true(comes_first(&stream, ENDED, COMMENT));
	close(stream.fd);
}

/* The database refuses to be asked for an id that is none. */
static void test_who_cannot_be_looked_up(void **state)
{
	static const struct change change = {"key:k1", "", "k2", .before = 0};
	struct stream stream;

	(void)state;
	open_stream(&stream, &change);
	assert_true(comes_first(&stream, "retry:", ENDED));
	recheck();
	assert_true(comes_first(&stream, ENDED, COMMENT));
	close(stream.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_was_changed_meanwhile),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_changes_before_the_call),
		cmocka_unit_test(test_more_than_are_remembered),
		cmocka_unit_test(test_rechecked_while_it_is_opened),
		cmocka_unit_test(test_rechecked_while_it_is_open),
		cmocka_unit_test(test_who_cannot_be_looked_up),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
