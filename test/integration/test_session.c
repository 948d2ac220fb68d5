/* test_session.c: session locks: thousands over one connection, all told of its loss, none given
 * away by a late release; and a full lock table as a clear error.
 *
 * Seen to fail: with the driver not watching its socket, loss (0 of 2,000 told); with only the first
 * owner called back, loss (1 of 2,000); with the names kept after a loss, loss ("already holds"); without
 * the look at the names, refused; without 53200 in pg/result.c, full lock table. */
#include "support/crew.h"
#include "support/node.h"
#include "support/outside.h"
#include "support/postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SESSIONS 2000u
#define MEMBERS  8u

struct slot {
	struct tocsin_session *session;
	atomic_uint told; /* how often lost was called */
	atomic_bool was_held_when_told;
};

struct fixture {
	struct tc_node node, other;
	PGconn *outside;
	struct slot *slots; /* SESSIONS of them */
	struct tc_gate lost;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){.outside = tc_outside_connect(tc_test_conninfo())};
	fixture.slots = calloc(SESSIONS, sizeof(*fixture.slots));
	assert_non_null(fixture.slots);
	tc_gate_init(&fixture.lost);
	tc_node_init(&fixture.node, tc_test_conninfo(), "first", NULL);
	tc_node_init(&fixture.other, tc_test_conninfo(), "second", NULL);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < SESSIONS; i++)
		tocsin_session_free(fixture->slots[i].session);
	tc_node_deinit(&fixture->node);
	tc_node_deinit(&fixture->other);
	tc_gate_deinit(&fixture->lost);
	free(fixture->slots);
	PQfinish(fixture->outside);
	return 0;
}

static struct fixture *current; /* for the callback, whose userdata is the slot */

static void tell(struct tocsin_session *session, void *userdata)
{
	struct slot *slot = userdata;

	if (tocsin_session_is_held(session))
		atomic_store(&slot->was_held_when_told, true);
	atomic_fetch_add(&slot->told, 1);
	tc_gate_signal(&current->lost);
}

static void format_key(char *ret_key, size_t size, unsigned index)
{
	snprintf(ret_key, size, "session-%u", index);
}

/* Each member takes every MEMBERSth key: requests meet in the driver, which sends them together. */
static int take_share(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	int result = TOCSIN_OK;

	for (unsigned i = index; i < SESSIONS && result == TOCSIN_OK; i += MEMBERS) {
		struct slot *slot = &fixture->slots[i];
		char key[32];

		format_key(key, sizeof(key), i);
		result = tocsin_lock_try(fixture->node.locks, key, tell, slot, &slot->session,
					 error);
	}
	return result;
}

static void take_all(struct fixture *fixture)
{
	struct tc_crew crew;

	current = fixture;
	tc_crew_init(&crew);
	tc_crew_start(&crew, MEMBERS, take_share, fixture);
	tc_crew_finish(&crew, TOCSIN_OK);
}

static void check_held_outside(struct fixture *fixture, long expected)
{
	assert_int_equal(tc_outside_number(fixture->outside,
					   "select count(*) from pg_locks where "
					   "locktype = 'advisory' and granted and pid in "
					   "(" TC_SQL_BACKENDS_OF ")",
					   "first-lock"),
			 expected);
}

/* Mechanism: one driver, one connection. */
static void test_one_connection(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_pool_stats stats;

	take_all(fixture);
	check_held_outside(fixture, SESSIONS);
	assert_int_equal(tc_outside_number(fixture->outside,
					   "select count(distinct pid) from pg_locks where "
					   "locktype = 'advisory'"),
			 1);
	assert_int_equal(tc_outside_number(fixture->outside,
					   "select count(*) from (" TC_SQL_BACKENDS_OF ") b",
					   "first-"),
			 1);
	stats = tc_pool_stats(fixture->node.lock_pool);
	assert_int_equal(stats.in_use, 1);
	assert_int_equal(stats.opened, 1);
	assert_int_equal(tc_locks_stats(fixture->node.locks).sessions, SESSIONS);
	for (unsigned i = 0; i < SESSIONS; i++) {
		assert_true(tocsin_session_is_held(fixture->slots[i].session));
		fixture->slots[i].session = tocsin_session_free(fixture->slots[i].session);
		assert_int_equal(fixture->slots[i].told, 0);
	}
	check_held_outside(fixture, 0);
	assert_int_equal(tc_locks_stats(fixture->node.locks).sessions, 0);
}

static void terminate_lock_backends(struct fixture *fixture)
{
	assert_int_equal(
		tc_outside_number(fixture->outside,
				  "select count(*) filter (where pg_terminate_backend(pid, %u)) "
				  "from (" TC_SQL_BACKENDS_OF ") b",
				  TC_PATIENCE_MS, "first-lock"),
		1);
}

/* Mechanism: the driver watches its socket, and tells every owner once; nobody has to ask. */
static void test_loss_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_session **old;

	take_all(fixture);
	terminate_lock_backends(fixture);
	assert_true(tc_gate_wait(&fixture->lost, SESSIONS));
	assert_int_equal(tc_locks_stats(fixture->node.locks).lost, SESSIONS);
	assert_int_equal(tc_locks_stats(fixture->node.locks).sessions, 0);
	old = calloc(SESSIONS, sizeof(struct tocsin_session *));
	assert_non_null(old);
	for (unsigned i = 0; i < SESSIONS; i++) {
		assert_int_equal(fixture->slots[i].told, 1);
		assert_false(fixture->slots[i].was_held_when_told);
		assert_false(tocsin_session_is_held(fixture->slots[i].session));
		old[i] = fixture->slots[i].session;
	}

	take_all(fixture); /* every key can be had again, by the same process */
	check_held_outside(fixture, SESSIONS);
	for (unsigned i = 0; i < SESSIONS; i++) {
		tocsin_session_release(
			old[i]); /* and an old handle does not give the new one away */
		tocsin_session_release(old[i]);
		tocsin_session_free(old[i]);
	}
	free(old);
	check_held_outside(fixture, SESSIONS);
	for (unsigned i = 0; i < SESSIONS; i++) {
		assert_true(tocsin_session_is_held(fixture->slots[i].session));
		assert_int_equal(fixture->slots[i].told, 1);
	}
}

/* Mechanism: the names of held keys (one process takes a key once, though PostgreSQL would let the
 * session take it again), and PostgreSQL itself between processes. */
static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_session *session = NULL, *second = NULL;
	struct tocsin_error error;

	assert_ok(tocsin_lock_try(fixture->node.locks, "one", NULL, NULL, &session, &error));
	for (unsigned i = 0; i < 3; i++) {
		assert_code(
			tocsin_lock_try(fixture->node.locks, "one", NULL, NULL, &second, &error),
			TOCSIN_E_LOCK_HELD);
		assert_code(
			tocsin_lock_try(fixture->other.locks, "one", NULL, NULL, &second, &error),
			TOCSIN_E_LOCK_BUSY);
	}
	/* The refused calls took nothing: one release frees the key for the other process. */
	tocsin_session_release(session);
	assert_ok(tocsin_lock_try(fixture->other.locks, "one", NULL, NULL, &second, &error));
	assert_code(tocsin_lock_try(fixture->node.locks, "one", NULL, NULL, &session, &error),
		    TOCSIN_E_LOCK_BUSY);
	tocsin_session_free(session);
	tocsin_session_free(second);
}

static int churn(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	int result = TOCSIN_OK;

	for (unsigned i = 0; i < 200 && result == TOCSIN_OK; i++) {
		struct tc_node *node = (i + index) % 2 ? &fixture->node : &fixture->other;
		struct tocsin_session *session = NULL;
		char key[32];

		format_key(key, sizeof(key), (i * 7 + index) % 5);
		result = tocsin_lock_try(node->locks, key, NULL, NULL, &session, error);
		if (result == TOCSIN_E_LOCK_BUSY || result == TOCSIN_E_LOCK_HELD)
			result = TOCSIN_OK;
		tocsin_session_free(session);
	}
	return result;
}

/* Many callers, few keys, two nodes: every try gets a yes or a no, and nothing is left behind. */
static void test_churn(void **state)
{
	struct fixture *fixture = *state;
	struct tc_crew crew;

	tc_crew_init(&crew);
	tc_crew_start(&crew, 16, churn, fixture);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(tc_locks_stats(fixture->node.locks).sessions, 0);
	assert_int_equal(
		tc_outside_number(fixture->outside,
				  "select count(*) from pg_locks where locktype = 'advisory'"),
		0);
}

/* On a busy machine connecting may take longer than a hasty pool waits for it. */
static int try_for_long(struct tocsin_locks *locks, struct tocsin_error *error)
{
	int result = TOCSIN_E_TIMEOUT;

	for (unsigned i = 0; i < 100 && result == TOCSIN_E_TIMEOUT; i++)
		result = tocsin_lock_with(locks, "other", tc_held_nothing, NULL, error);
	return result;
}

/* A session lock keeps its connection from others: a clear error in bounded time, and no harm done. */
static void test_pool_of_one(void **state)
{
	const struct tc_node_options options = {.lock_max = 1, .connection_timeout_ms = 300};
	struct tocsin_session *session = NULL;
	struct tocsin_error error;
	struct tc_node node;

	(void)state;
	tc_node_init(&node, tc_test_conninfo(), "one", &options);
	assert_ok(try_for_long(node.locks, &error));
	assert_ok(tocsin_lock_try(node.locks, "held", NULL, NULL, &session, &error));
	assert_code(tocsin_lock_with(node.locks, "other", tc_held_nothing, NULL, &error),
		    TOCSIN_E_TIMEOUT);
	assert_contains(error.message, "one-lock");
	assert_true(tocsin_session_is_held(session));
	tocsin_session_free(session);
	assert_ok(try_for_long(node.locks, &error));
	tc_node_deinit(&node);
}

/* Fills the lock table from outside: a session keeps the locks it got before the statement failed. */
static void fill_lock_table(struct fixture *fixture)
{
	PGresult *result =
		PQexec(fixture->outside,
		       "select pg_advisory_lock(1, g) from generate_series(1, 1000000) g");

	assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "53200");
	PQclear(result);
}

/* Mechanism: SQLSTATE 53200 has a code of its own, and costs nobody else his lock. */
static void test_full_lock_table(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_session *session = NULL, *another = NULL;
	struct tocsin_error error;

	current = fixture;
	assert_ok(tocsin_lock_try(fixture->node.locks, "before", tell, &fixture->slots[0], &session,
				  &error));
	assert_ok(tocsin_lock_with(fixture->node.locks, "warm", tc_held_nothing, NULL, &error));
	fill_lock_table(fixture);
	assert_code(tocsin_lock_try(fixture->node.locks, "after", NULL, NULL, &another, &error),
		    TOCSIN_E_FULL);
	assert_contains(error.message, "max_locks_per_transaction");
	assert_string_equal(error.sqlstate, "53200");
	assert_code(tocsin_lock_with(fixture->node.locks, "after", tc_held_nothing, NULL, &error),
		    TOCSIN_E_FULL);
	assert_contains(error.message, "max_locks_per_transaction");
	assert_true(tocsin_session_is_held(session));

	tc_outside_run(fixture->outside, "select pg_advisory_unlock_all()");
	assert_ok(tocsin_lock_try(fixture->node.locks, "after", NULL, NULL, &another, &error));
	assert_ok(tocsin_lock_with(fixture->node.locks, "other", tc_held_nothing, NULL, &error));
	assert_true(tocsin_session_is_held(session));
	assert_int_equal(fixture->slots[0].told, 0);
	tocsin_session_free(another);
	tocsin_session_free(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_loss_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_churn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pool_of_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_lock_table, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
