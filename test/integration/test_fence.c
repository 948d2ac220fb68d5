/* test_fence.c: a holder that lost its lock cannot commit, and at no time are two inside.
 *
 * Two nodes (services with pools of their own) in one process: the first holder, on node `first`, is
 * stalled or has its lock backend terminated at a chosen step; the next one, on node `second`, wants
 * the same key. "Inside" is what the database says: a work transaction is alive. Each marks itself
 * with a shared advisory lock (MARK) that lives exactly as long as the transaction, so whoever enters
 * counts the marks of others, and what is committed, row by row, says who was there.
 *
 * Seen to fail, with one mechanism taken out at a time:
 *   check_fence.sql always true, or left out of the commit   "in work", "before commit" and "nested"
 *                                       (the work was committed); "before work" still holds, because
 *                                       identify.sql on the dead lock connection says no first
 *   enter_fence.sql or share_fence.sql without its lock      both "in commit" tests: the next holder
 *                                       never stood before the fence
 *   only the innermost key fenced                            "nested in commit"
 *   no idle timeout for fenced work                          "stalled in work": the next holder waits
 *   no idle_tx_timeout_ms on the lock pool                   the three stalled ones: nothing is lost */
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

#define IDLE_TX_MS 1000u
#define MARK       "20260101"

enum loss { LOSS_TERMINATED, LOSS_STALLED };
enum step { STEP_BEFORE_WORK, STEP_IN_WORK, STEP_BEFORE_COMMIT };

struct fixture {
	struct tc_node first, second;
	PGconn *outside, *first_outside,
		*second_outside; /* one for the main thread and for each holder */
	enum loss loss;
	enum step step;
	struct tc_gate is_lost;     /* the first holder lost its lock */
	struct tc_gate has_entered; /* the second holder is inside */
	bool is_nested;             /* the first holder nests "inner" in "critical" */
	const char *wanted;         /* key of the second */
	int work_result, second_work_result;
	long marks_at_entry; /* work transactions alive when the second holder entered */
	struct tocsin_error work_error;
};

/* `first_options` NULL: the server ends nothing that idles. The second holder's idling never matters. */
static int set_up_with(void **state, const struct tc_node_options *first_options)
{
	static struct fixture fixture;

	fixture = (struct fixture){.outside = tc_outside_connect(tc_test_conninfo()),
				   .first_outside = tc_outside_connect(tc_test_conninfo()),
				   .second_outside = tc_outside_connect(tc_test_conninfo()),
				   .wanted = "critical",
				   .marks_at_entry = -1};
	tc_gate_init(&fixture.is_lost);
	tc_gate_init(&fixture.has_entered);
	tc_node_init(&fixture.first, tc_test_conninfo(), "first", first_options);
	tc_node_init(&fixture.second, tc_test_conninfo(), "second", NULL);
	tc_outside_run(fixture.outside,
		       "drop table if exists entries; create table entries (who text)");
	*state = &fixture;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, NULL);
}

static int set_up_stalled(void **state)
{
	static const struct tc_node_options options = {.lock_idle_tx_timeout_ms = IDLE_TX_MS,
						       .work_idle_tx_timeout_ms = IDLE_TX_MS};

	return set_up_with(state, &options);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tc_node_deinit(&fixture->first);
	tc_node_deinit(&fixture->second);
	tc_gate_deinit(&fixture->is_lost);
	tc_gate_deinit(&fixture->has_entered);
	PQfinish(fixture->outside);
	PQfinish(fixture->first_outside);
	PQfinish(fixture->second_outside);
	return 0;
}

static int exec_on(struct tocsin_connection *connection, const char *statement,
		   struct tocsin_error *error)
{
	PGconn *pg = tocsin_connection_pg(connection);
	PGresult *result = PQexec(pg, statement);
	bool is_done = PQresultStatus(result) == PGRES_COMMAND_OK ||
		       PQresultStatus(result) == PGRES_TUPLES_OK;

	PQclear(result);
	if (is_done)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_DATABASE, "%s", PQerrorMessage(pg));
}

/* --- the first holder --- */

/* Waits for the end of the lock backend of the first node: the server's doing, or ours. */
static int lose_lock(struct fixture *fixture, struct tocsin_error *error)
{
	long pid = 0;
	bool is_lost =
		tc_outside_find(fixture->first_outside, &pid, TC_SQL_BACKENDS_OF, "first-lock");

	if (is_lost && pid > 0 && fixture->loss == LOSS_TERMINATED)
		is_lost = tc_outside_terminate(fixture->first_outside, pid);
	if (is_lost)
		is_lost =
			tc_outside_wait(fixture->first_outside,
					"select not exists (" TC_SQL_BACKENDS_OF ")", "first-lock");
	tc_gate_signal(&fixture->is_lost);
	return is_lost ? TOCSIN_OK
		       : tocsin_error_set(error, TOCSIN_E_SYSTEM, "the lock was not lost");
}

static int first_work(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	struct fixture *fixture = userdata;
	int result = exec_on(connection, "select pg_advisory_xact_lock_shared(" MARK ")", error);

	if (result == TOCSIN_OK && fixture->step == STEP_IN_WORK)
		result = lose_lock(fixture, error);
	/* Stalled means stalled: it stays until the next holder is inside. */
	if (result == TOCSIN_OK && fixture->step == STEP_IN_WORK && fixture->loss == LOSS_STALLED &&
	    !tc_gate_wait(&fixture->has_entered, 1))
		result = tocsin_error_set(error, TOCSIN_E_SYSTEM, "the next holder did not enter");
	if (result == TOCSIN_OK)
		result = exec_on(connection, "insert into entries values ('first')", error);
	if (result == TOCSIN_OK && fixture->step == STEP_BEFORE_COMMIT)
		result = lose_lock(fixture, error);
	return result;
}

static int first_inside(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct fixture *fixture = userdata;

	if (fixture->step == STEP_BEFORE_WORK) {
		int result = lose_lock(fixture, error);

		if (result != TOCSIN_OK)
			return result;
		/* As late as can be: the next holder is inside when the work begins. */
		if (!tc_gate_wait(&fixture->has_entered, 1))
			return tocsin_error_set(error, TOCSIN_E_SYSTEM,
						"the next holder did not enter");
	}
	fixture->work_result = tocsin_lock_work(held, first_work, fixture, &fixture->work_error);
	return fixture->work_result;
}

static int first_nest(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	return tocsin_lock_nest(held, "inner", first_inside, userdata, error);
}

static int run_first(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	int result =
		tocsin_lock_with(fixture->first.locks, "critical",
				 fixture->is_nested ? first_nest : first_inside, fixture, error);

	(void)index;
	tc_gate_signal(&fixture->is_lost); /* whatever went wrong, nobody waits for ever */
	return result;
}

/* --- the second holder --- */

static int second_work(struct tocsin_connection *connection, void *userdata,
		       struct tocsin_error *error)
{
	(void)userdata;
	return exec_on(connection, "insert into entries values ('second')", error);
}

static int second_inside(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct fixture *fixture = userdata;
	bool is_seen = tc_outside_find(
		fixture->second_outside, &fixture->marks_at_entry,
		"select count(*) from pg_locks where locktype = 'advisory' "
		"and granted and ((classid::bigint << 32) | objid::bigint) = " MARK);

	tc_gate_signal(&fixture->has_entered);
	if (!is_seen)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot see the marks");
	return fixture->second_work_result = tocsin_lock_work(held, second_work, fixture, error);
}

static int run_second(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	int result;

	(void)index;
	if (!tc_gate_wait(&fixture->is_lost, 1))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM,
					"the first holder did not lose its lock");
	result = tocsin_lock_with(fixture->second.locks, fixture->wanted, second_inside, fixture,
				  error);
	tc_gate_signal(&fixture->has_entered);
	return result;
}

/* --- the tests --- */

static void check_lost(struct fixture *fixture, enum loss loss, enum step step)
{
	struct tc_crew first, second;

	print_message("%s %s\n", loss == LOSS_STALLED ? "stalled" : "terminated",
		      step == STEP_BEFORE_WORK ? "before work"
		      : step == STEP_IN_WORK   ? "in work"
					       : "before commit");
	fixture->loss = loss;
	fixture->step = step;
	tc_crew_init(&first);
	tc_crew_init(&second);
	tc_crew_start(&first, 1, run_first, fixture);
	tc_crew_start(&second, 1, run_second, fixture);
	tc_crew_finish(&second, TOCSIN_OK);
	tc_crew_join(&first);
	assert_int_not_equal(fixture->work_result, TOCSIN_OK);
	if (fixture->work_result !=
	    TOCSIN_E_LOCK_LOST) /* the work itself may have been ended: then it says so */
		assert_true(loss == LOSS_STALLED && step != STEP_BEFORE_WORK);
	assert_int_equal(first.members[0].result, fixture->work_result);
	tc_crew_deinit(&first);
	assert_int_equal(fixture->marks_at_entry, 0);
	assert_int_equal(tc_outside_number(fixture->outside,
					   "select count(*) from entries where who = 'first'"),
			 0);
	assert_int_equal(tc_outside_number(fixture->outside,
					   "select count(*) from entries where who = 'second'"),
			 1);
}

/* Mechanism: the check, in pg_locks, that the lock is held when work begins. */
static void test_terminated_before_work(void **state)
{
	check_lost(*state, LOSS_TERMINATED, STEP_BEFORE_WORK);
}

/* Mechanism: the check in the round trip of the commit; the shared fence, on which the next holder
 * waits until this work has failed. */
static void test_terminated_in_work(void **state)
{
	check_lost(*state, LOSS_TERMINATED, STEP_IN_WORK);
}

static void test_terminated_before_commit(void **state)
{
	check_lost(*state, LOSS_TERMINATED, STEP_BEFORE_COMMIT);
}

/* The same where the server ends the lock session, because its holder was idle for too long. In work,
 * the work transaction is idle as long, and the server ends it too (idle_tx_timeout_ms of the locks),
 * or a stalled holder would keep the next one out behind the fence for ever. */
static void test_stalled_before_work(void **state)
{
	check_lost(*state, LOSS_STALLED, STEP_BEFORE_WORK);
}

static void test_stalled_in_work(void **state)
{
	check_lost(*state, LOSS_STALLED, STEP_IN_WORK);
}

static void test_stalled_before_commit(void **state)
{
	check_lost(*state, LOSS_STALLED, STEP_BEFORE_COMMIT);
}

/* The inner key is lost with the outer one's connection, and fenced as well. */
static void test_nested_is_fenced(void **state)
{
	struct fixture *fixture = *state;

	fixture->is_nested = true;
	fixture->wanted = "inner";
	check_lost(fixture, LOSS_TERMINATED, STEP_BEFORE_COMMIT);
}

static int commit_work(struct tocsin_connection *connection, void *userdata,
		       struct tocsin_error *error)
{
	int result = exec_on(connection, "select pg_advisory_xact_lock_shared(" MARK ")", error);

	(void)userdata;
	/* The deferred trigger runs inside COMMIT, and waits there until the test lets it go on. */
	if (result == TOCSIN_OK)
		result = exec_on(connection, "insert into slow values ('first')", error);
	return result;
}

static int commit_inside(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct fixture *fixture = userdata;

	return fixture->work_result = tocsin_lock_work(held, commit_work, fixture, error);
}

static int commit_nest(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	return tocsin_lock_nest(held, "inner", commit_inside, userdata, error);
}

static int run_committer(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;

	(void)index;
	return tocsin_lock_with(fixture->first.locks, "critical",
				fixture->is_nested ? commit_nest : commit_inside, fixture, error);
}

static void check_in_commit(struct fixture *fixture)
{
	struct tc_crew first, second;

	tc_outside_run(
		fixture->outside,
		"drop table if exists slow; create table slow (who text);"
		"create or replace function wait_in_commit() returns trigger language plpgsql as "
		"$$ begin perform pg_advisory_xact_lock(5); return null; end $$;"
		"create constraint trigger slow_commit after insert on slow "
		"deferrable initially deferred for each row execute function wait_in_commit();"
		"select pg_advisory_lock(5)");
	fixture->loss = LOSS_TERMINATED;
	tc_crew_init(&first);
	tc_crew_init(&second);
	tc_crew_start(&first, 1, run_committer, fixture);
	assert_true(tc_outside_wait(
		fixture->outside,
		"select exists (select from pg_locks where locktype = 'advisory' and "
		"objid = 5 and not granted)"));
	assert_true(tc_outside_terminate(
		fixture->outside,
		tc_outside_number(fixture->outside, TC_SQL_BACKENDS_OF, "first-lock")));
	tc_gate_signal(&fixture->is_lost);
	tc_crew_start(&second, 1, run_second, fixture);
	/* It has the key, and stands before the fence. */
	assert_true(tc_outside_wait(fixture->outside,
				    "select exists (select from pg_locks where " TC_SQL_IS_KEY
				    " and not granted)",
				    "tocsin.fence:critical"));
	assert_int_equal(fixture->marks_at_entry, -1);
	tc_outside_run(fixture->outside, "select pg_advisory_unlock(5)");
	tc_crew_join(&first);
	tc_crew_finish(&second, TOCSIN_OK);
	assert_int_equal(fixture->marks_at_entry, 0);
	assert_int_equal(tc_outside_number(fixture->outside, "select count(*) from slow"),
			 fixture->work_result == TOCSIN_OK);
	assert_int_equal(fixture->work_result, TOCSIN_OK);
	tc_crew_deinit(&first);
}

/* Mechanism: the exclusive fence of the new holder against the shared one of the work. Here the lock
 * goes after the last check, while COMMIT is under way: the work does commit, and so the next holder
 * must not enter before it has. */
static void test_terminated_in_commit(void **state)
{
	check_in_commit(*state);
}

/* Work under an inner key stands behind the fences of all keys: the next holder of the outer one
 * waits as well. */
static void test_nested_terminated_in_commit(void **state)
{
	struct fixture *fixture = *state;

	fixture->is_nested = true;
	check_in_commit(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_terminated_before_work, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_terminated_in_work, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_terminated_before_commit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stalled_before_work, set_up_stalled,
						tear_down),
		cmocka_unit_test_setup_teardown(test_stalled_in_work, set_up_stalled, tear_down),
		cmocka_unit_test_setup_teardown(test_stalled_before_commit, set_up_stalled,
						tear_down),
		cmocka_unit_test_setup_teardown(test_nested_is_fenced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_terminated_in_commit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nested_terminated_in_commit, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
