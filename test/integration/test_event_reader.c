/* test/integration/test_event_reader.c: how much durable readers do at a time, and how often: the audit trail's, and
 * one of the test's own; and that they do each event once, whatever fails.
 *
 * What is counted are transactions. Between the beginnings of two passes there is the pace, so there are not more of them
 * than fit into the time that they took, however long that was: no machine is too slow for that.
 *
 * How each was seen to fail: without `batch_max` in audit.c there are five transactions, of 500 each; without `pace_ms`
 * there it copies about each event by itself; with a pass that goes on while anything is left, events that come meanwhile
 * are done without a pause; with a place that moves although `handle` failed, what failed is never done; with one that
 * does not move nothing else is; without the lock of reader_lock.sql events are done twice. */
#include "base/memory.h"
#include "core/outbox/outbox.h"
#include "modules/event/event.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CONNECTIONS 4
/* More passes than the time has room for: one that had begun before, one that begins at its very start, and one because
 * clocks tell whole milliseconds. */
#define MORE_PASSES 3u

#define MANY   2500
#define SINGLE 100u

/* Each of the chain is written by who handles the one before. */
#define CHAIN         10u
#define CHAIN_PACE_MS 100u
#define ONE_EVENT                                                                                  \
	"insert into events (kind, subject, action) values ('incident.created', 'x', 'created')"

#define LEDGER       100L
#define LEDGER_BATCH 10u

static struct {
	struct tocsin_pool *pool;
	struct tc_outbox *outbox;
	struct tc_event_reader *reader, *other;
	struct tc_gate handled;
	atomic_uint count; /* of the chain, or the ledger */
} node;

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
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql("truncate events, event_readers, audit"));
	tc_gate_init(&node.handled);
	atomic_store(&node.count, 0);
	assert_ok(tc_outbox_new(&node.outbox, &(struct tc_outbox_options){.pool = node.pool},
				&error));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	tc_outbox_stop(node.outbox);
	node.reader = tc_event_reader_free(node.reader);
	node.other = tc_event_reader_free(node.other);
	node.outbox = tc_outbox_free(node.outbox);
	tc_gate_deinit(&node.handled);
	return 0;
}

/* As many passes as may have begun since then. */
static unsigned passes_since(uint64_t start_ms, unsigned pace_ms)
{
	return (unsigned)((tc_test_clock_ms() - start_ms) / pace_ms) + MORE_PASSES;
}

static bool is_copied(void *argument)
{
	return tc_test_sql_number("select count(*) from audit") == *(long *)argument;
}

static void open_audit(void)
{
	struct tocsin_error error;

	assert_ok(tc_event_audit_new(&node.reader, node.pool, node.outbox, &error));
}

/* --- tests --- */

static void test_audit_copies_so_many_at_a_time(void **state)
{
	TC_FREE char *counts = NULL;
	long count = MANY;

	(void)state;
	free(tc_test_sql(
		"insert into events (kind, subject, action) select 'incident.created', 'x', "
		"'created' from generate_series(1, 2500)"));
	open_audit();
	assert_true(tc_wait_until(is_copied, &count));
	counts =
		tc_test_sql("select string_agg(n::text, ' ' order by n desc) from (select count(*) "
			    "as n from audit group by xmin::text) as copies");
	assert_string_equal(counts, "1000 1000 500");
}

static void test_audit_copies_so_often(void **state)
{
	uint64_t start_ms;
	long count = SINGLE;

	(void)state;
	open_audit();
	start_ms = tc_test_clock_ms();
	for (unsigned i = 0; i < SINGLE; i++) {
		free(tc_test_sql(ONE_EVENT));
		tc_event_reader_wake(node.reader);
	}
	assert_true(tc_wait_until(is_copied, &count));
	assert_in_range(tc_test_sql_number("select count(distinct xmin::text) from audit"), 1,
			passes_since(start_ms, TC_EVENT_AUDIT_PACE_MS));
}

/* Writes the next event in the transaction that ends with this one. */
static int handle_chain(struct tocsin_connection *connection, const struct tc_event_span *span,
			void *userdata, struct tocsin_error *error)
{
	PGresult *written;

	(void)span, (void)userdata, (void)error;
	if (atomic_fetch_add(&node.count, 1) + 1 < CHAIN) {
		written = PQexec(tocsin_connection_pg(connection), ONE_EVENT);
		PQclear(written);
	}
	tc_gate_signal(&node.handled);
	return TOCSIN_OK;
}

static void test_what_comes_during_a_pass_waits_for_the_next(void **state)
{
	const struct tc_event_reader_options options = {.name = "chain",
							.thread_name = "chain",
							.pool = node.pool,
							.outbox = node.outbox,
							.pace_ms = CHAIN_PACE_MS,
							.writes_events = true,
							.handle = handle_chain};
	uint64_t start_ms = tc_test_clock_ms();
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql(ONE_EVENT));
	assert_ok(tc_event_reader_new(&node.reader, &options, &error));
	assert_ok(tc_outbox_start(node.outbox, &error));
	assert_true(tc_gate_wait(&node.handled, CHAIN));
	assert_in_range(CHAIN, 1, passes_since(start_ms, CHAIN_PACE_MS));
}

/* Writes down what it does; every second time that is lost, as where the node dies before the commit. */
static int handle_ledger(struct tocsin_connection *connection, const struct tc_event_span *span,
			 void *userdata, struct tocsin_error *error)
{
	char from[2][TC_EVENT_NUMBER_SIZE], to[2][TC_EVENT_NUMBER_SIZE];
	const char *const values[] = {from[0], from[1], to[0], to[1]};
	PGresult *written;
	unsigned count;

	(void)userdata;
	tc_event_position_format(&span->from, from[0], from[1]);
	tc_event_position_format(&span->to, to[0], to[1]);
	written = PQexecParams(
		tocsin_connection_pg(connection),
		"insert into ledger select sequence from events where (transaction, sequence) > "
		"($1::xid8, $2::bigint) and (transaction, sequence) <= ($3::xid8, $4::bigint)",
		TC_ARRAY_LENGTH(values), NULL, values, NULL, NULL, 0);
	PQclear(written);
	count = atomic_fetch_add(&node.count, 1);
	if (count % 2 == 0)
		return tocsin_error_set(error, count > 0 ? TOCSIN_E_RETRY : TOCSIN_E_DATABASE,
					"it failed");
	return TOCSIN_OK;
}

static void open_ledger(struct tc_event_reader **ret_reader)
{
	const struct tc_event_reader_options options = {.name = "ledger",
							.thread_name = "ledger",
							.pool = node.pool,
							.outbox = node.outbox,
							.batch_max = LEDGER_BATCH,
							.handle = handle_ledger};
	struct tocsin_error error;

	assert_ok(tc_event_reader_new(ret_reader, &options, &error));
}

static bool is_in_ledger(void *argument)
{
	return tc_test_sql_number("select count(distinct sequence) from ledger") ==
	       *(long *)argument;
}

static void write_to_ledger(long until)
{
	for (long i = 0; i < LEDGER; i++) {
		free(tc_test_sql(ONE_EVENT));
		tc_event_reader_wake(node.reader);
		if (node.other)
			tc_event_reader_wake(node.other);
	}
	assert_true(tc_wait_until(is_in_ledger, &until));
}

/* Two nodes are woken at once; then both stop, and another goes on where they were. */
static void test_each_event_is_done_once(void **state)
{
	(void)state;
	free(tc_test_sql("create table ledger (sequence bigint)"));
	open_ledger(&node.reader);
	open_ledger(&node.other);
	write_to_ledger(LEDGER);
	node.reader = tc_event_reader_free(node.reader);
	node.other = tc_event_reader_free(node.other);
	open_ledger(&node.reader);
	write_to_ledger(2 * LEDGER);
	node.reader = tc_event_reader_free(node.reader);
	assert_int_equal(tc_test_sql_number("select count(*) from ledger"), 2 * LEDGER);
	free(tc_test_sql("drop table ledger"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_audit_copies_so_many_at_a_time, start, stop),
		cmocka_unit_test_setup_teardown(test_audit_copies_so_often, start, stop),
		cmocka_unit_test_setup_teardown(test_what_comes_during_a_pass_waits_for_the_next,
						start, stop),
		cmocka_unit_test_setup_teardown(test_each_event_is_done_once, start, stop),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
