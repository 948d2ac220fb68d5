/* test/integration/test_outbox.c: the live reader of a node: what it reads of events, and what it does when some
 * are gone.
 *
 * How each was seen to fail: with hand_on not asking a second time a listener that comes while a brief page is on
 * its way gets it without documents; with is_known taken for true nobody is told of a gap. */
#include "core/outbox/outbox.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CONNECTIONS 2 /* as the outbox of a node has */
#define TOLD_MAX    64

/* What subscribers were told, in order; written by the outbox's thread, read when the gate says so. */
struct told {
	enum { EVENT, GAP } what;
	enum tc_outbox_stage stage;
	char subject[64];
	bool is_brief, has_document;
};

static struct {
	struct tocsin_pool *pool;
	struct tc_outbox *outbox;
	struct told told[TOLD_MAX];
	unsigned count;
	struct tc_gate listened; /* listeners were told of events */
	unsigned waited;
	atomic_bool wants_next, wants_passing; /* what to say; and from when a page passes */
	unsigned passing;                      /* times asked with a page */
} node;

static void note(const struct told *told)
{
	if (node.count < TOLD_MAX)
		node.told[node.count++] = *told;
}

static void note_events(enum tc_outbox_stage stage, const struct tc_event *events, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct told told = {EVENT, stage, "", events[i].is_brief, events[i].document};

		snprintf(told.subject, sizeof(told.subject), "%s", events[i].subject);
		note(&told);
	}
}

static void on_caches(const struct tc_event *events, unsigned count, void *userdata)
{
	(void)userdata;
	note_events(TC_OUTBOX_CACHES, events, count);
}

static void on_listeners(const struct tc_event *events, unsigned count, void *userdata)
{
	(void)userdata;
	note_events(TC_OUTBOX_LISTENERS, events, count);
	tc_gate_signal(&node.listened);
}

static void on_gap_caches(const struct tc_event_position *position, void *userdata)
{
	(void)position;
	(void)userdata;
	note(&(struct told){.what = GAP, .stage = TC_OUTBOX_CACHES});
}

static void on_gap_listeners(const struct tc_event_position *position, void *userdata)
{
	struct told told = {.what = GAP, .stage = TC_OUTBOX_LISTENERS};

	(void)userdata;
	snprintf(told.subject, sizeof(told.subject), "%llu",
		 (unsigned long long)position->sequence);
	note(&told);
}

static bool wants(const struct tc_event_position *passing, void *userdata)
{
	(void)userdata;
	if (passing) {
		node.passing++;
		if (node.wants_passing)
			node.wants_next = true;
	}
	return node.wants_next;
}

static int set_up(void **state)
{
	return tc_test_work_setup(state, CONNECTIONS, &node.pool);
}

static int tear_down(void **state)
{
	return tc_test_work_teardown(state, &node.pool);
}

static int start(void **state)
{
	static const struct tc_outbox_subscriber listener = {.tell = on_listeners,
							     .gap = on_gap_listeners};
	/* Each of these is told of one thing only; seen to crash where their NULLs are called. */
	static const struct tc_outbox_subscriber cache = {.tell = on_caches};
	static const struct tc_outbox_subscriber gap_cache = {.gap = on_gap_caches};
	struct tc_outbox_options options = {.pool = node.pool};
	struct tocsin_error error;

	(void)state;
	node.count = node.waited = node.passing = 0;
	node.wants_next = node.wants_passing = false;
	free(tc_test_sql(
		"truncate events; update event_horizon set transaction = '0', position = 0"));
	tc_gate_init(&node.listened);
	assert_ok(tc_outbox_new(&node.outbox, &options, &error));
	assert_ok(tc_outbox_subscribe(node.outbox, TC_OUTBOX_LISTENERS, &listener, &error));
	assert_ok(tc_outbox_subscribe(node.outbox, TC_OUTBOX_CACHES, &cache, &error));
	assert_ok(tc_outbox_subscribe(node.outbox, TC_OUTBOX_CACHES, &gap_cache, &error));
	tc_outbox_set_wants(node.outbox, wants, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node.outbox = tc_outbox_free(node.outbox);
	tc_gate_deinit(&node.listened);
	return 0;
}

static void begin(void)
{
	struct tocsin_error error;

	assert_ok(tc_outbox_start(node.outbox, &error));
}

/* Returns when listeners have been told of it. */
static void write_event(const char *subject)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "insert into events (kind, subject, action) values ('incident.created', '%s', "
		 "'created')",
		 subject);
	free(tc_test_sql(sql));
	tc_outbox_committed(node.outbox);
	assert_true(tc_gate_wait(&node.listened, ++node.waited));
}

static void check_event(unsigned index, enum tc_outbox_stage stage, const char *subject,
			bool is_brief)
{
	const struct told *told = &node.told[index];

	assert_true(index < node.count);
	assert_int_equal(told->what, EVENT);
	assert_int_equal(told->stage, stage);
	assert_string_equal(told->subject, subject);
	assert_int_equal(told->is_brief, is_brief);
	assert_int_equal(told->has_document, !is_brief);
}

static void test_documents_only_for_those_who_want_them(void **state)
{
	struct tc_outbox_stats stats;

	(void)state;
	begin();
	write_event("brief");
	node.wants_next = true;
	write_event("whole");
	tc_outbox_stop(node.outbox);
	check_event(0, TC_OUTBOX_CACHES, "brief", true);
	check_event(1, TC_OUTBOX_LISTENERS, "brief", true);
	check_event(2, TC_OUTBOX_CACHES, "whole", false);
	check_event(3, TC_OUTBOX_LISTENERS, "whole", false);
	assert_int_equal(node.count, 4);
	assert_int_equal(node.passing, 1); /* of a whole page nobody is asked */
	tc_outbox_get_stats(node.outbox, &stats);
	assert_int_equal(stats.events, 2);
	assert_int_equal(stats.documents, 1);
}

/* It is wanted after the page was read, and before listeners are told: they are told once, with documents. */
static void test_wanted_while_a_brief_page_is_on_its_way(void **state)
{
	(void)state;
	node.wants_passing = true;
	begin();
	write_event("late");
	tc_outbox_stop(node.outbox);
	check_event(0, TC_OUTBOX_CACHES, "late", true);
	check_event(1, TC_OUTBOX_CACHES, "late", false);
	check_event(2, TC_OUTBOX_LISTENERS, "late", false);
	assert_int_equal(node.count, 3);
}

/* Caches hear of it first, nothing is told in its place, and what comes after it is told. */
static void test_a_gap(void **state)
{
	struct tc_outbox_stats stats;

	(void)state;
	begin();
	write_event("before");
	free(tc_test_sql("update event_horizon set transaction = pg_current_xact_id(), "
			 "position = 1000000"));
	write_event("after");
	tc_outbox_stop(node.outbox);
	check_event(0, TC_OUTBOX_CACHES, "before", true);
	check_event(1, TC_OUTBOX_LISTENERS, "before", true);
	assert_int_equal(node.told[2].what, GAP);
	assert_int_equal(node.told[2].stage, TC_OUTBOX_CACHES);
	assert_int_equal(node.told[3].what, GAP);
	assert_int_equal(node.told[3].stage, TC_OUTBOX_LISTENERS);
	assert_string_equal(node.told[3].subject, "1000000");
	check_event(4, TC_OUTBOX_CACHES, "after", true);
	check_event(5, TC_OUTBOX_LISTENERS, "after", true);
	assert_int_equal(node.count, 6);
	tc_outbox_get_stats(node.outbox, &stats);
	assert_int_equal(stats.gaps, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_documents_only_for_those_who_want_them, start,
						stop),
		cmocka_unit_test_setup_teardown(test_wanted_while_a_brief_page_is_on_its_way, start,
						stop),
		cmocka_unit_test_setup_teardown(test_a_gap, start, stop),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
