/* test_pool.c: what a pool promises while the database is well: bounds, order, settings, dirty
 * connections, shutting down. (What it does when connections die: test_pool_death.c.)
 *
 * Seen to fail: without the bound in take_or_wait, bounds (a fourth connection); with waiters pushed to
 * the front, order (39 before 0); with release keeping everything, dirty; without set_session.sql,
 * settings; with close signalling nobody, close (it takes until the waiters' deadlines); with free not
 * waiting for what is in use, free (abort in a destroyed mutex). */
#include "support/crew.h"
#include "support/node.h"
#include "support/outside.h"
#include "support/postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Long enough to make connections in, on a busy machine. */
#define SHORT_MS 1500u

struct fixture {
	struct tocsin_pool *pool;
	struct tc_gate is_held, may_release;
	unsigned order[64];
	atomic_uint order_count;
	atomic_bool is_freed;
	PGconn *outside;
};

static struct tocsin_pool *make_pool(unsigned max, unsigned connection_timeout_ms)
{
	struct tocsin_pool *pool = NULL;
	struct tocsin_error error;

	assert_ok(tocsin_pool_new(
		&pool,
		&(struct tocsin_pool_options){.name = "tested",
					      .conninfo = tc_test_conninfo(),
					      .purpose = TOCSIN_POOL_WORK,
					      .max = max,
					      .connection_timeout_ms = connection_timeout_ms,
					      .idle_timeout_ms = TC_PATIENCE_MS},
		&error));
	return pool;
}

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){.outside = tc_outside_connect(tc_test_conninfo())};
	tc_gate_init(&fixture.is_held);
	tc_gate_init(&fixture.may_release);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tc_pool_dispose(fixture->pool);
	tc_gate_deinit(&fixture->is_held);
	tc_gate_deinit(&fixture->may_release);
	PQfinish(fixture->outside);
	return 0;
}

static int hold(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct tocsin_connection *connection = NULL;
	int result = tocsin_pool_acquire(fixture->pool, &connection, error);

	(void)index;
	tc_gate_signal(&fixture->is_held);
	if (result != TOCSIN_OK)
		return result;
	if (!tc_gate_wait(&fixture->may_release, 1))
		result = tocsin_error_set(error, TOCSIN_E_SYSTEM, "nobody said release");
	tocsin_pool_release(connection);
	return result;
}

static int pass_through(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct tocsin_connection *connection = NULL;
	int result = tocsin_pool_acquire(fixture->pool, &connection, error);

	if (result == TOCSIN_OK)
		fixture->order[atomic_fetch_add(&fixture->order_count, 1)] = index;
	tocsin_pool_release(connection);
	return result;
}

/* Mechanism: the count of connections against `max`, and the deadline of a waiter. */
static void test_bounds(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_connection *connection = NULL;
	struct tocsin_pool_stats stats;
	struct tocsin_error error;
	struct tc_crew crew;

	fixture->pool = make_pool(3, SHORT_MS);
	tc_crew_init(&crew);
	tc_crew_start(&crew, 3, hold, fixture);
	assert_true(tc_gate_wait(&fixture->is_held, 3));
	stats = tc_pool_stats(fixture->pool);
	assert_int_equal(stats.max, 3);
	assert_int_equal(stats.in_use, 3);
	assert_int_equal(stats.idle, 0);

	assert_code(tocsin_pool_acquire(fixture->pool, &connection, &error), TOCSIN_E_TIMEOUT);
	assert_contains(error.message, "tested");
	assert_contains(error.message, "1500");
	assert_null(connection);
	assert_int_equal(tc_outside_number(fixture->outside,
					   "select count(*) from (" TC_SQL_BACKENDS_OF ") b",
					   "tested"),
			 3);
	stats = tc_pool_stats(fixture->pool);
	assert_int_equal(stats.timeouts, 1);
	assert_int_equal(stats.waiting, 0); /* it left the queue */
	assert_int_equal(stats.opened, 3);
	assert_true(stats.waited >= 1);
	assert_true(stats.wait_us >= SHORT_MS * 1000 / 2); /* clocks round */

	tc_gate_signal(&fixture->may_release);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
	tocsin_pool_release(connection);
	stats = tc_pool_stats(fixture->pool);
	assert_int_equal(stats.idle, 3);
	assert_int_equal(stats.opened, 3); /* reused */
	assert_int_equal(stats.acquired, 4);
}

/* Mechanism: the queue of waiters is first in, first out, and a released connection is handed over
 * rather than left for whoever comes by. */
static void test_waiters_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;
	struct tc_crew crew;
	const unsigned count = 40;

	fixture->pool = make_pool(1, TC_PATIENCE_MS);
	assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
	tc_crew_init(&crew);
	for (unsigned i = 0; i < count; i++) {
		tc_crew_start(&crew, 1, pass_through, fixture);
		assert_true(tc_wait_for_pool_waiters(fixture->pool, i + 1));
	}
	tocsin_pool_release(connection);
	/* A late comer goes to the end of the queue, or finds it empty; never ahead of it. */
	tc_crew_start(&crew, 1, pass_through, fixture);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(fixture->order_count, count + 1);
	for (unsigned i = 0; i <= count; i++)
		assert_int_equal(fixture->order[i], i);
}

static void test_options(void **state)
{
	const struct tocsin_pool_options good = {.name = "tested",
						 .conninfo = tc_test_conninfo(),
						 .purpose = TOCSIN_POOL_WORK,
						 .max = 1,
						 .connection_timeout_ms = 1,
						 .idle_timeout_ms = 1};
	struct tocsin_pool_options bad[] = {good, good, good, good, good, good, good};
	char long_name[65];
	struct tocsin_error error;

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	bad[0].max = 0;
	bad[1].max = TOCSIN_POOL_MAX + 1;
	bad[2].connection_timeout_ms = 0;
	bad[3].idle_timeout_ms = 0;
	bad[4].name = long_name;
	bad[5].name = NULL;
	bad[6].conninfo = NULL;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tocsin_pool *pool = NULL;

		assert_code(tocsin_pool_new(&pool, &bad[i], &error), TOCSIN_E_INVALID);
		assert_null(pool);
	}
}

static void exec_on(struct tocsin_connection *connection, const char *statement)
{
	PGresult *result = PQexec(tocsin_connection_pg(connection), statement);

	assert_true(PQresultStatus(result) == PGRES_COMMAND_OK ||
		    PQresultStatus(result) == PGRES_TUPLES_OK);
	PQclear(result);
}

static void dirty_transaction(struct tocsin_connection *connection)
{
	exec_on(connection, "begin");
	exec_on(connection, "select pg_advisory_xact_lock(4711)");
}

static void dirty_failed_transaction(struct tocsin_connection *connection)
{
	exec_on(connection, "begin");
	PQclear(PQexec(tocsin_connection_pg(connection), "select 1 / 0"));
}

static void dirty_pipeline(struct tocsin_connection *connection)
{
	assert_int_equal(PQenterPipelineMode(tocsin_connection_pg(connection)), 1);
}

static void dirty_pipeline_with_results(struct tocsin_connection *connection)
{
	PGconn *pg = tocsin_connection_pg(connection);

	dirty_pipeline(connection);
	assert_int_equal(PQsendQueryParams(pg, "select pg_advisory_lock(4711)", 0, NULL, NULL, NULL,
					   NULL, 0),
			 1);
	assert_int_equal(PQpipelineSync(pg), 1);
}

static void dirty_unread(struct tocsin_connection *connection)
{
	assert_int_equal(PQsendQuery(tocsin_connection_pg(connection), "select 1"), 1);
}

static void dirty_broken(struct tocsin_connection *connection)
{
	PQclear(PQexec(tocsin_connection_pg(connection),
		       "select pg_terminate_backend(pg_backend_pid())"));
	assert_int_equal(PQstatus(tocsin_connection_pg(connection)), CONNECTION_BAD);
}

/* Mechanism: release looks at the connection's status, transaction status and pipeline status, and
 * closes what is not clean, so that nothing leaks to the next caller. */
static void test_dirty_is_closed(void **state)
{
	static void (*const dirty[])(struct tocsin_connection *) = {
		dirty_transaction, dirty_failed_transaction,
		dirty_pipeline,    dirty_pipeline_with_results,
		dirty_unread,      dirty_broken};
	struct fixture *fixture = *state;
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;

	fixture->pool = make_pool(1, TC_PATIENCE_MS);
	for (size_t i = 0; i < sizeof(dirty) / sizeof(dirty[0]); i++) {
		int pid, next_pid;

		assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
		pid = PQbackendPID(tocsin_connection_pg(connection));
		tocsin_pool_release(connection);
		assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
		next_pid = PQbackendPID(tocsin_connection_pg(connection));
		assert_int_equal(pid, next_pid); /* a clean one is kept */

		dirty[i](connection);
		assert_null(tocsin_pool_release(connection));
		assert_int_equal(tc_pool_stats(fixture->pool).idle, 0);
		assert_int_equal(tc_pool_stats(fixture->pool).closed, i + 1);
		assert_true(tc_outside_wait(
			fixture->outside,
			"select not exists (select from pg_stat_activity where pid = %d)", pid));
		assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
		exec_on(connection, "select 1");
		tocsin_pool_release(connection);
	}
}

/* Mechanism: the SETs after connecting, each only where it is asked for. */
static void test_settings(void **state)
{
	static const struct {
		enum tocsin_pool_purpose purpose;
		unsigned idle_tx_timeout_ms, lock_timeout_ms;
		bool has_generic_plans, avoids_seq_scans;
		const char *idle_tx, *lock, *plans, *scans;
	} rows[] = {
		{TOCSIN_POOL_LOCK, 1234, 4321, false, false, "1234ms", "4321ms", "auto", "on"},
		{TOCSIN_POOL_WORK, 0, 0, true, false, "0", "0", "force_generic_plan", "on"},
		{TOCSIN_POOL_WORK, 0, 0, false, true, "0", "0", "auto", "off"},
		{TOCSIN_POOL_WORK, 0, 0, false, false, "0", "0", "auto", "on"},
	};
	struct fixture *fixture = *state;
	struct tocsin_error error;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tocsin_connection *connection = NULL;
		PGresult *result;

		assert_ok(tocsin_pool_new(&fixture->pool,
					  &(struct tocsin_pool_options){
						  .name = "tested",
						  .conninfo = tc_test_conninfo(),
						  .purpose = rows[i].purpose,
						  .max = 1,
						  .connection_timeout_ms = TC_PATIENCE_MS,
						  .idle_timeout_ms = TC_PATIENCE_MS,
						  .idle_tx_timeout_ms = rows[i].idle_tx_timeout_ms,
						  .lock_timeout_ms = rows[i].lock_timeout_ms,
						  .has_generic_plans = rows[i].has_generic_plans,
						  .avoids_seq_scans = rows[i].avoids_seq_scans},
					  &error));
		assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
		result = PQexec(
			tocsin_connection_pg(connection),
			"select current_setting('idle_in_transaction_session_timeout'),"
			" current_setting('lock_timeout'), current_setting('plan_cache_mode'),"
			" current_setting('enable_seqscan')");
		assert_string_equal(PQgetvalue(result, 0, 0), rows[i].idle_tx);
		assert_string_equal(PQgetvalue(result, 0, 1), rows[i].lock);
		assert_string_equal(PQgetvalue(result, 0, 2), rows[i].plans);
		assert_string_equal(PQgetvalue(result, 0, 3), rows[i].scans);
		PQclear(result);
		tocsin_pool_release(connection);
		fixture->pool = tocsin_pool_free(fixture->pool);
	}
}

/* Mechanism: close wakes every waiter with an error of its own. */
static void test_close_while_waiting(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_connection *connection = NULL, *refused = NULL;
	struct tocsin_error error;
	struct tc_crew crew;
	uint64_t before_ms;

	fixture->pool = make_pool(1, TC_PATIENCE_MS);
	assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
	tc_crew_init(&crew);
	tc_crew_start(&crew, 8, pass_through, fixture);
	assert_true(tc_wait_for_pool_waiters(fixture->pool, 8));
	before_ms = tc_test_clock_ms();
	tocsin_pool_close(fixture->pool);
	tc_crew_finish(&crew, TOCSIN_E_CLOSED);
	assert_true(tc_test_clock_ms() - before_ms <
		    TC_PATIENCE_MS / 2); /* not at their deadlines */
	exec_on(connection, "select 1"); /* what is held stays good */
	tocsin_pool_release(connection);
	assert_code(tocsin_pool_acquire(fixture->pool, &refused, &error), TOCSIN_E_CLOSED);
	assert_contains(error.message, "tested");
}

static int free_pool(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;

	(void)index;
	(void)error;
	tocsin_pool_free(fixture->pool);
	atomic_store(&fixture->is_freed, true);
	return TOCSIN_OK;
}

/* Mechanism: free waits for what is held to come back, and for the waiters to leave, before the
 * memory goes (AddressSanitizer would see it if not). */
static void test_free_while_held(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;
	struct tc_crew waiters, destroyer;

	fixture->pool = make_pool(1, TC_PATIENCE_MS);
	assert_ok(tocsin_pool_acquire(fixture->pool, &connection, &error));
	tc_crew_init(&waiters);
	tc_crew_start(&waiters, 8, pass_through, fixture);
	assert_true(tc_wait_for_pool_waiters(fixture->pool, 8));
	tc_crew_init(&destroyer);
	tc_crew_start(&destroyer, 1, free_pool, fixture);
	tc_crew_finish(&waiters, TOCSIN_E_CLOSED);
	exec_on(connection,
		"select pg_sleep(0.05)"); /* time for a free that does not wait to go wrong */
	assert_false(atomic_load(&fixture->is_freed));
	tocsin_pool_release(connection);
	tc_crew_finish(&destroyer, TOCSIN_OK);
	fixture->pool = NULL;
	assert_true(tc_outside_wait(fixture->outside, "select not exists (" TC_SQL_BACKENDS_OF ")",
				    "tested"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_waiters_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dirty_is_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_while_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_while_held, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
