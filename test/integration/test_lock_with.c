/* test_lock_with.c: many operations at once on few connections: none fails, whatever they nest, and a
 * hot key costs one connection.
 *
 * Seen to fail: with lock and work from one pool and no ranks, 1 of 500 succeeds and the others time
 * out; with inner keys on connections of their own, 0 of 50; without the queue in front of the pool, both
 * hot-key tests; without wait_timeout.sql, the bound elsewhere. */
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

struct fixture {
	struct tc_node node;
	PGconn *outside;
	struct tc_gate is_held, may_leave;
	atomic_uint hot_count;
	bool nests_shared_keys;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){.outside = tc_outside_connect(tc_test_conninfo())};
	tc_gate_init(&fixture.is_held);
	tc_gate_init(&fixture.may_leave);
	tc_outside_run(fixture.outside,
		       "drop table if exists done; create table done (who int, depth int)");
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tc_node_deinit(&fixture->node);
	tc_gate_deinit(&fixture->is_held);
	tc_gate_deinit(&fixture->may_leave);
	PQfinish(fixture->outside);
	return 0;
}

struct operation {
	struct fixture *fixture;
	unsigned index, depth;
};

static int insert_done(struct tocsin_connection *connection, void *userdata,
		       struct tocsin_error *error)
{
	const struct operation *operation = userdata;
	char who[16], depth[16];
	const char *values[] = {who, depth};
	PGresult *result;
	bool is_done;

	snprintf(who, sizeof(who), "%u", operation->index);
	snprintf(depth, sizeof(depth), "%u", operation->depth);
	result = PQexecParams(tocsin_connection_pg(connection),
			      "insert into done values ($1::int, $2::int)", 2, NULL, values, NULL,
			      NULL, 0);
	is_done = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	if (is_done)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_DATABASE, "%s",
				PQerrorMessage(tocsin_connection_pg(connection)));
}

static int work_once(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	return tocsin_lock_work(held, insert_done, userdata, error);
}

static int with_own_key(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct operation operation = {fixture, index, 0};
	char key[32];

	snprintf(key, sizeof(key), "own-%u", index);
	return tocsin_lock_with(fixture->node.locks, key, work_once, &operation, error);
}

static void check_quiet(struct tocsin_pool *pool, unsigned max)
{
	struct tocsin_pool_stats stats = tc_pool_stats(pool);

	assert_int_equal(stats.timeouts, 0);
	assert_int_equal(stats.in_use + stats.waiting + stats.connecting, 0);
	assert_true(stats.opened <= max);
}

/* Mechanism: locks and work draw from pools of their own. With both pools 2 wide, all places for
 * locks are soon taken by operations that wait for work; with one pool for both they would wait for
 * each other. */
static void test_500_operations_on_narrow_pools(void **state)
{
	struct fixture *fixture = *state;
	struct tc_crew crew;

	tc_node_init(&fixture->node, tc_test_conninfo(), "narrow",
		     &(struct tc_node_options){.lock_max = 2, .work_max = 2});
	tc_crew_init(&crew);
	tc_crew_start(&crew, 500, with_own_key, fixture);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(
		tc_outside_number(fixture->outside, "select count(distinct who) from done"), 500);
	assert_int_equal(tc_outside_number(fixture->outside, "select count(*) from done"), 500);
	check_quiet(fixture->node.lock_pool, 2);
	check_quiet(fixture->node.work_pool, 2);
}

static int nest_deeper(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct operation *operation = userdata;
	char key[32];
	int result;

	operation->depth++;
	result = tocsin_lock_work(held, insert_done, operation, error);
	if (result != TOCSIN_OK || operation->depth == 3)
		return result;
	if (operation->fixture->nests_shared_keys)
		snprintf(key, sizeof(key), "shared-%u", operation->depth);
	else
		snprintf(key, sizeof(key), "own-%u-%u", operation->index, operation->depth);
	return tocsin_lock_nest(held, key, nest_deeper, operation, error);
}

static int nest_three(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct operation operation = {fixture, index, 0};
	char key[32];

	snprintf(key, sizeof(key), "first-%u", index);
	return tocsin_lock_with(fixture->node.locks, key, nest_deeper, &operation, error);
}

static void nest_50(struct fixture *fixture, bool nests_shared_keys)
{
	struct tc_crew crew;

	fixture->nests_shared_keys = nests_shared_keys;
	tc_node_init(&fixture->node, tc_test_conninfo(), "nesting",
		     &(struct tc_node_options){.lock_max = 4, .work_max = 4});
	tc_crew_init(&crew);
	tc_crew_start(&crew, 50, nest_three, fixture);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(tc_outside_number(fixture->outside, "select count(*) from done"), 150);
	assert_int_equal(
		tc_outside_number(fixture->outside,
				  "select count(*) from (select distinct who, depth from done) d"),
		150);
	check_quiet(fixture->node.lock_pool, 4);
	check_quiet(fixture->node.work_pool, 4);
	/* One connection an operation, not one a key. */
	assert_int_equal(tc_pool_stats(fixture->node.lock_pool).acquired, 50);
	assert_int_equal(tc_locks_stats(fixture->node.locks).acquired, 150);
	assert_int_equal(tc_locks_stats(fixture->node.locks).timeouts, 0);
}

/* Mechanism: inner keys are taken on the outer key's connection. Were each a connection of its own,
 * four outer keys would hold the whole pool while they wait for inner ones. */
static void test_50_nested_operations(void **state)
{
	nest_50(*state, false);
}

/* The same where the inner keys are everybody's: they wait in PostgreSQL, in one order. */
static void test_50_nested_operations_on_shared_keys(void **state)
{
	nest_50(*state, true);
}

static int stay(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct fixture *fixture = userdata;

	(void)held;
	tc_gate_signal(&fixture->is_held);
	if (!tc_gate_wait(&fixture->may_leave, 1))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "nobody let the holder go");
	return TOCSIN_OK;
}

static int hold_hot(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;

	(void)index;
	return tocsin_lock_with(fixture->node.locks, "hot", stay, fixture, error);
}

static int count_hot(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct fixture *fixture = userdata;

	(void)held;
	(void)error;
	atomic_fetch_add(&fixture->hot_count, 1);
	return TOCSIN_OK;
}

static int take_hot(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;

	(void)index;
	return tocsin_lock_with(fixture->node.locks, "hot", count_hot, fixture, error);
}

static void check_one_connection(struct fixture *fixture)
{
	assert_int_equal(
		tc_outside_number(fixture->outside,
				  "select count(distinct pid) from pg_locks where " TC_SQL_IS_KEY
				  " and pid in (" TC_SQL_BACKENDS_OF ")",
				  "hot", "storm-lock"),
		1);
	assert_int_equal(tc_pool_stats(fixture->node.lock_pool).in_use, 1);
	assert_int_equal(tc_pool_stats(fixture->node.lock_pool).waiting, 0);
}

static void check_another_key(struct fixture *fixture)
{
	struct operation operation = {.fixture = fixture};
	struct tocsin_error error;

	assert_ok(tocsin_lock_with(fixture->node.locks, "cold", work_once, &operation, &error));
	assert_ok(tocsin_lock_in_transaction(fixture->node.locks, "cold", insert_done, &operation,
					     &error));
	assert_int_equal(tc_outside_number(fixture->outside, "select count(*) from done"), 2);
	assert_int_equal(fixture->hot_count, 0);
}

static void prepare_storm(struct fixture *fixture)
{
	tc_node_init(&fixture->node, tc_test_conninfo(), "storm",
		     &(struct tc_node_options){.lock_max = 2, .work_max = 2});
}

/* Mechanism: the queue of a key stands in front of the pool. Were there none, 2 of the 500 would hold
 * the pool's connections, and the other key would wait behind them. */
static void test_hot_key_held_here(void **state)
{
	struct fixture *fixture = *state;
	struct tc_crew holder, waiters;

	prepare_storm(fixture);
	tc_crew_init(&holder);
	tc_crew_start(&holder, 1, hold_hot, fixture);
	assert_true(tc_gate_wait(&fixture->is_held, 1));
	tc_crew_init(&waiters);
	tc_crew_start(&waiters, 500, take_hot, fixture);
	assert_true(tc_wait_for_key_waiters(fixture->node.locks, 500));
	check_one_connection(fixture);
	check_another_key(fixture);
	tc_gate_signal(&fixture->may_leave);
	tc_crew_finish(&holder, TOCSIN_OK);
	tc_crew_finish(&waiters, TOCSIN_OK);
	assert_int_equal(fixture->hot_count, 500);
	check_quiet(fixture->node.lock_pool, 2);
}

/* The same where another process holds the key: only the first of the queue waits in PostgreSQL. */
static void test_hot_key_held_elsewhere(void **state)
{
	struct fixture *fixture = *state;
	struct tc_crew waiters;

	prepare_storm(fixture);
	tc_outside_run(fixture->outside, "select pg_advisory_lock(hashtextextended('hot', 0))");
	tc_crew_init(&waiters);
	tc_crew_start(&waiters, 500, take_hot, fixture);
	assert_true(tc_wait_for_key_waiters(fixture->node.locks, 499));
	assert_true(tc_outside_wait(fixture->outside,
				    "select exists (select from pg_locks where " TC_SQL_IS_KEY
				    " and not granted)",
				    "hot"));
	check_one_connection(fixture);
	check_another_key(fixture);
	tc_outside_run(fixture->outside, "select pg_advisory_unlock(hashtextextended('hot', 0))");
	tc_crew_finish(&waiters, TOCSIN_OK);
	assert_int_equal(fixture->hot_count, 500);
	check_quiet(fixture->node.lock_pool, 2);
}

/* Mechanism: the bound that is set on the connection before it waits, where the holder is elsewhere. */
static void test_wait_elsewhere_has_a_bound(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_error error;

	tc_node_init(&fixture->node, tc_test_conninfo(), "hasty",
		     &(struct tc_node_options){.wait_timeout_ms = 300});
	tc_outside_run(fixture->outside, "select pg_advisory_lock(hashtextextended('hot', 0))");
	assert_code(tocsin_lock_with(fixture->node.locks, "hot", count_hot, fixture, &error),
		    TOCSIN_E_LOCK_TIMEOUT);
	assert_contains(error.message, "hot");
	assert_contains(error.message, "300");
	assert_int_equal(tc_locks_stats(fixture->node.locks).timeouts, 1);
	tc_outside_run(fixture->outside, "select pg_advisory_unlock(hashtextextended('hot', 0))");
	assert_ok(tocsin_lock_with(fixture->node.locks, "hot", count_hot, fixture, &error));
	check_quiet(fixture->node.lock_pool, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_500_operations_on_narrow_pools, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_50_nested_operations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_50_nested_operations_on_shared_keys, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_hot_key_held_here, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hot_key_held_elsewhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wait_elsewhere_has_a_bound, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
