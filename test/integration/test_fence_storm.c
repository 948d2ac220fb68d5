/* test_fence_storm.c: locks lost at random under load cost no update; a transaction that is its own
 * lock is all or nothing; and nesting in opposite order between two processes ends well. */
#include "support/crew.h"
#include "support/node.h"
#include "support/outside.h"
#include "support/postgres.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MEMBERS 4u /* on each node */
#define LOSSES  60u
#define HELPER  "lock_helper" /* beside this program */

struct fixture {
	struct tc_node first, second;
	PGconn *outside;
	atomic_uint commits, losses, others;
	atomic_bool is_over;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){.outside = tc_outside_connect(tc_test_conninfo())};
	tc_node_init(&fixture.first, tc_test_conninfo(), "first", NULL);
	tc_node_init(&fixture.second, tc_test_conninfo(), "second", NULL);
	/* COMMIT takes its time too: that is the moment between the last check and the end. */
	tc_outside_run(fixture.outside,
		       "drop table if exists account; create table account (balance int);"
		       "insert into account values (0);"
		       "create or replace function dawdle() returns trigger language plpgsql as "
		       "$$ begin perform pg_sleep(0.01); return null; end $$;"
		       "create constraint trigger slow_commit after update on account "
		       "deferrable initially deferred for each row execute function dawdle()");
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tc_node_deinit(&fixture->first);
	tc_node_deinit(&fixture->second);
	PQfinish(fixture->outside);
	return 0;
}

static int read_balance(struct tocsin_connection *connection, void *userdata,
			struct tocsin_error *error)
{
	PGconn *pg = tocsin_connection_pg(connection);
	PGresult *result = PQexec(pg, "select balance from account");
	bool is_done = PQresultStatus(result) == PGRES_TUPLES_OK;

	if (is_done)
		*(long *)userdata = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	if (is_done)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_DATABASE, "%s", PQerrorMessage(pg));
}

/* Writes what was read plus one, and takes its time: most locks are lost in here. */
static int write_balance(struct tocsin_connection *connection, void *userdata,
			 struct tocsin_error *error)
{
	PGconn *pg = tocsin_connection_pg(connection);
	char statement[96];
	PGresult *result;
	bool is_done;

	snprintf(statement, sizeof(statement),
		 "update account set balance = %ld; select pg_sleep(0.003)",
		 *(const long *)userdata + 1);
	result = PQexec(pg, statement);
	is_done = PQresultStatus(result) == PGRES_TUPLES_OK;
	PQclear(result);
	if (is_done)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_DATABASE, "%s", PQerrorMessage(pg));
}

static int add_one(struct tocsin_connection *connection, void *userdata, struct tocsin_error *error)
{
	long balance = 0;
	int result = read_balance(connection, &balance, error);

	(void)userdata;
	return result == TOCSIN_OK ? write_balance(connection, &balance, error) : result;
}

/* Reads in one transaction and writes in another: only the lock makes that right, so two inside lose
 * an update. */
static int add_under_lock(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct fixture *fixture = userdata;
	long balance = 0;
	int result = tocsin_lock_work(held, read_balance, &balance, error);

	if (result == TOCSIN_OK)
		result = tocsin_lock_work(held, write_balance, &balance, error);
	if (result == TOCSIN_OK)
		atomic_fetch_add(&fixture->commits, 1);
	return result;
}

static int add_for_ever(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct tocsin_locks *locks = index % 2 ? fixture->first.locks : fixture->second.locks;

	while (!atomic_load(&fixture->is_over)) {
		int result = tocsin_lock_with(locks, "account", add_under_lock, fixture, error);

		if (result == TOCSIN_E_LOCK_LOST)
			atomic_fetch_add(&fixture->losses, 1);
		else if (result == TOCSIN_E_UNAVAILABLE)
			atomic_fetch_add(&fixture->others,
					 1); /* ended while it waited for the key */
		else if (result != TOCSIN_OK)
			return result;
	}
	return TOCSIN_OK;
}

/* Ends whichever lock backend holds the key: every other time while a COMMIT is under way, else at
 * once. Then lets some commits pass. */
static void lose_one(struct fixture *fixture, bool in_commit, unsigned *commits_seen)
{
	if (in_commit)
		assert_true(tc_outside_wait(
			fixture->outside,
			"select exists (select from pg_stat_activity where wait_event = 'PgSleep' "
			"and query ilike 'commit%%')"));
	assert_true(tc_outside_wait(
		fixture->outside,
		"select count(pg_terminate_backend(pid)) from pg_locks where " TC_SQL_IS_KEY
		" and granted",
		"account"));
	for (unsigned target = *commits_seen + 2; *commits_seen < target;) {
		assert_true(tc_outside_wait(fixture->outside, "select balance >= %u from account",
					    *commits_seen + 1));
		*commits_seen = (unsigned)tc_outside_number(fixture->outside,
							    "select balance from account");
	}
}

/* Seen to fail: without the lock in lock/sql/enter_fence.sql 30 of 157 updates were lost, without the
 * one in share_fence.sql 24 of 151.
 * Mechanism: check and fence together. Work backends are left alone, so a commit that was reported
 * was made, and one that was not was not: the balance is the count of reported commits. */
static void test_no_update_is_lost(void **state)
{
	struct fixture *fixture = *state;
	unsigned commits_seen = 0;
	struct tc_crew crew;

	tc_crew_init(&crew);
	tc_crew_start(&crew, 2 * MEMBERS, add_for_ever, fixture);
	for (unsigned i = 0; i < LOSSES; i++)
		lose_one(fixture, i % 2, &commits_seen);
	atomic_store(&fixture->is_over, true);
	tc_crew_finish(&crew, TOCSIN_OK);
	print_message("%u commits, %u lost locks, %u ended while waiting\n", fixture->commits,
		      fixture->losses, fixture->others);
	assert_int_equal(tc_outside_number(fixture->outside, "select balance from account"),
			 fixture->commits);
	assert_true(fixture->losses > 0);
}

static int add_and_die(struct tocsin_connection *connection, void *userdata,
		       struct tocsin_error *error)
{
	struct fixture *fixture = userdata;
	int result = add_one(connection, userdata, error);

	if (!tc_outside_terminate(fixture->outside, PQbackendPID(tocsin_connection_pg(connection))))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot terminate the backend");
	return result;
}

/* Mechanism: lock and work are one transaction, so there is nothing to fence. Seen to fail: with a
 * failed commit reported as success. */
static void test_in_transaction_is_all_or_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_error error;

	assert_int_not_equal(tocsin_lock_in_transaction(fixture->first.locks, "account",
							add_and_die, fixture, &error),
			     TOCSIN_OK);
	assert_true(tocsin_error_is_retryable(error.code));
	assert_int_equal(tc_outside_number(fixture->outside, "select balance from account"), 0);
	assert_ok(tocsin_lock_in_transaction(fixture->second.locks, "account", add_one, fixture,
					     &error));
	assert_ok(tocsin_lock_in_transaction(fixture->first.locks, "account", add_one, fixture,
					     &error));
	assert_int_equal(tc_outside_number(fixture->outside, "select balance from account"), 2);
}

/* --- two processes --- */

struct helper {
	pid_t pid;
	int input, output; /* pipes to its standard input and from its standard output */
};

static void start_helper(struct helper *helper, const char *outer, const char *inner)
{
	char path[4096], conninfo[1024], first[32], second[32];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof(HELPER) - 1);
	char *const arguments[] = {path, conninfo, first, second, NULL};
	int input[2], output[2];
	posix_spawn_file_actions_t actions;

	assert_true(length > 0);
	path[length] = '\0';
	memcpy(strrchr(path, '/') + 1, HELPER, sizeof(HELPER));
	snprintf(conninfo, sizeof(conninfo), "%s", tc_test_conninfo());
	snprintf(first, sizeof(first), "%s", outer);
	snprintf(second, sizeof(second), "%s", inner);
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	assert_int_equal(posix_spawn(&helper->pid, path, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(input[0]);
	close(output[1]);
	helper->input = input[1];
	helper->output = output[0];
}

/* One line, without its end; empty when patience ran out or the helper left. */
static void read_line(struct helper *helper, char *ret_line, size_t size)
{
	struct pollfd ready = {.fd = helper->output, .events = POLLIN};
	size_t length = 0;

	while (length + 1 < size && poll(&ready, 1, (int)TC_PATIENCE_MS) == 1 &&
	       read(helper->output, ret_line + length, 1) == 1 && ret_line[length] != '\n')
		length++;
	ret_line[length] = '\0';
}

static void finish_helper(struct helper *helper)
{
	int status;

	close(helper->input);
	close(helper->output);
	assert_int_equal(waitpid(helper->pid, &status, 0), helper->pid);
	assert_int_equal(status, 0);
}

/* Mechanism: inner keys wait in PostgreSQL, whose detector sees both processes. Seen to fail: without
 * the row for 40P01 in pg/result.c, "database" instead of "deadlock". */
static void test_opposite_orders_in_two_processes(void **state)
{
	struct helper helpers[2];
	char lines[2][64];
	uint64_t before_ms;

	(void)state;
	start_helper(&helpers[0], "left", "right");
	start_helper(&helpers[1], "right", "left");
	for (int i = 0; i < 2; i++) {
		read_line(&helpers[i], lines[i], sizeof(lines[i]));
		assert_string_equal(lines[i], "held");
	}
	before_ms = tc_test_clock_ms();
	for (int i = 0; i < 2; i++)
		assert_int_equal(write(helpers[i].input, "g", 1), 1);
	for (int i = 0; i < 2; i++)
		read_line(&helpers[i], lines[i], sizeof(lines[i]));
	assert_true(tc_test_clock_ms() - before_ms <
		    20000); /* deadlock_timeout is 1 s; the keys' 60 s */
	assert_true((!strcmp(lines[0], "ok") && !strcmp(lines[1], "deadlock")) ||
		    (!strcmp(lines[0], "deadlock") && !strcmp(lines[1], "ok")));
	for (int i = 0; i < 2; i++)
		finish_helper(&helpers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_update_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_transaction_is_all_or_nothing, set_up,
						tear_down),
		cmocka_unit_test(test_opposite_orders_in_two_processes),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
