/* test_pool_death.c: what a pool does when connections die or age: idle connections terminated in
 * both pools, idle timeout, a server that does not answer, the database away and back.
 *
 * Seen to fail: with the watcher deaf, "is noticed" (0 of 5 reports); with the watcher deaf, acquire
 * not looking at the socket and no retry, "next calls" too; with acquire not looking and no retry, "at the
 * same time" (and so it was now and then, on a busy machine, before one dead connection cast doubt on all
 * idle ones: three dying ones in a row used up the retries); without the idle timeout, "idle timeout"; with connecting
 * unbounded, or a failed attempt keeping its place in the pool, "never answers". */
#include "support/crew.h"
#include "support/node.h"
#include "support/outside.h"
#include "support/postgres.h"
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tocsin/tocsin.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECTIONS 5u

/* What the pool reported; filled from its threads. */
struct reports {
	struct tc_gate died;
	pthread_mutex_t mutex;
	char pool[64];
};

struct fixture {
	struct tocsin_pool *lock_pool, *work_pool;
	struct reports lock_reports, work_reports;
	struct tc_gate is_held, may_release;
	PGconn *outside;
	char directory[32]; /* a directory of sockets of its own */
};

static void report(enum tocsin_pool_notice notice, const char *pool, const char *detail,
		   void *userdata)
{
	struct reports *reports = userdata;

	if (notice != TOCSIN_POOL_CONNECTION_DIED || !detail)
		return;
	pthread_mutex_lock(&reports->mutex);
	snprintf(reports->pool, sizeof(reports->pool), "%s", pool);
	pthread_mutex_unlock(&reports->mutex);
	tc_gate_signal(&reports->died);
}

static unsigned reported(struct reports *reports)
{
	unsigned count;

	pthread_mutex_lock(&reports->died.mutex);
	count = reports->died.signalled;
	pthread_mutex_unlock(&reports->died.mutex);
	return count;
}

static struct tocsin_pool *make_pool(const char *name, enum tocsin_pool_purpose purpose,
				     const char *conninfo, unsigned idle_timeout_ms,
				     struct reports *reports)
{
	struct tocsin_pool *pool = NULL;
	struct tocsin_error error;

	assert_ok(tocsin_pool_new(
		&pool,
		&(struct tocsin_pool_options){.name = name,
					      .conninfo = conninfo,
					      .purpose = purpose,
					      .max = CONNECTIONS,
					      .connection_timeout_ms = TC_PATIENCE_MS,
					      .idle_timeout_ms = idle_timeout_ms,
					      .notice = report,
					      .userdata = reports},
		&error));
	return pool;
}

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){.outside = tc_outside_connect(tc_test_conninfo()),
				   .directory = "/tmp/tocsin-test-XXXXXX"};
	assert_non_null(mkdtemp(fixture.directory));
	tc_gate_init(&fixture.is_held);
	tc_gate_init(&fixture.may_release);
	tc_gate_init(&fixture.lock_reports.died);
	tc_gate_init(&fixture.work_reports.died);
	pthread_mutex_init(&fixture.lock_reports.mutex, NULL);
	pthread_mutex_init(&fixture.work_reports.mutex, NULL);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tc_pool_dispose(fixture->lock_pool);
	tc_pool_dispose(fixture->work_pool);
	tc_gate_deinit(&fixture->is_held);
	tc_gate_deinit(&fixture->may_release);
	tc_gate_deinit(&fixture->lock_reports.died);
	tc_gate_deinit(&fixture->work_reports.died);
	pthread_mutex_destroy(&fixture->lock_reports.mutex);
	pthread_mutex_destroy(&fixture->work_reports.mutex);
	PQfinish(fixture->outside);
	return rmdir(fixture->directory);
}

/* Takes a connection of each pool, lock first, and gives both back when all members have theirs. */
static int warm(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct tocsin_connection *lock = NULL, *work = NULL;
	int result = tocsin_pool_acquire(fixture->lock_pool, &lock, error);

	(void)index;
	if (result == TOCSIN_OK)
		result = tocsin_pool_acquire(fixture->work_pool, &work, error);
	tc_gate_signal(&fixture->is_held);
	if (!tc_gate_wait(&fixture->may_release, 1))
		result = TOCSIN_E_SYSTEM;
	tocsin_pool_release(work);
	tocsin_pool_release(lock);
	return result;
}

static void fill_pools(struct fixture *fixture)
{
	struct tc_crew crew;

	tc_crew_init(&crew);
	tc_crew_start(&crew, CONNECTIONS, warm, fixture);
	assert_true(tc_gate_wait(&fixture->is_held, CONNECTIONS));
	tc_gate_signal(&fixture->may_release);
	tc_crew_finish(&crew, TOCSIN_OK);
}

static int select_one(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	PGresult *result = PQexec(tocsin_connection_pg(connection), "select 1");
	bool is_good = PQresultStatus(result) == PGRES_TUPLES_OK;

	(void)userdata;
	PQclear(result);
	if (is_good)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE,
				"a caller received a dead connection: %s",
				PQerrorMessage(tocsin_connection_pg(connection)));
}

static void transact_100(struct fixture *fixture)
{
	struct tocsin_error error;

	for (int i = 0; i < 100; i++) {
		assert_ok(tocsin_pool_transact(fixture->lock_pool, select_one, NULL, &error));
		assert_ok(tocsin_pool_transact(fixture->work_pool, select_one, NULL, &error));
	}
}

static void terminate_all(struct fixture *fixture, unsigned wait_ms)
{
	assert_int_equal(
		tc_outside_number(fixture->outside,
				  "select count(*) filter (where pg_terminate_backend(pid, %u)) "
				  "from pg_stat_activity where application_name like '%%deathly%%'",
				  wait_ms),
		2 * CONNECTIONS);
}

static void make_full_pools(struct fixture *fixture)
{
	fixture->lock_pool = make_pool("deathly-lock", TOCSIN_POOL_LOCK, tc_test_conninfo(),
				       TC_PATIENCE_MS, &fixture->lock_reports);
	fixture->work_pool = make_pool("deathly-work", TOCSIN_POOL_WORK, tc_test_conninfo(),
				       TC_PATIENCE_MS, &fixture->work_reports);
	fill_pools(fixture);
	assert_int_equal(reported(&fixture->lock_reports) + reported(&fixture->work_reports), 0);
}

/* Mechanism: the watcher (nobody asks for a connection here, so that only it can notice), each dead
 * connection reported once. */
static void test_idle_terminated_is_noticed(void **state)
{
	struct fixture *fixture = *state;

	make_full_pools(fixture);
	terminate_all(fixture, TC_PATIENCE_MS);
	assert_true(tc_gate_wait(&fixture->lock_reports.died, CONNECTIONS));
	assert_true(tc_gate_wait(&fixture->work_reports.died, CONNECTIONS));
	transact_100(fixture);
	assert_int_equal(reported(&fixture->lock_reports), CONNECTIONS);
	assert_int_equal(reported(&fixture->work_reports), CONNECTIONS);
	assert_string_equal(fixture->lock_reports.pool, "deathly-lock");
	assert_string_equal(fixture->work_reports.pool, "deathly-work");
}

static void check_died(struct tocsin_pool *pool)
{
	struct tocsin_pool_stats stats;

	tocsin_pool_get_stats(pool, &stats);
	assert_int_equal(stats.died, CONNECTIONS);
	assert_int_equal(stats.closed, CONNECTIONS);
	assert_int_equal(stats.in_use, 0);
	assert_true(stats.idle >= 1);
}

/* Mechanism: acquire looks at the socket, so that the very next callers are well even where they are
 * quicker than the watcher; and a connection is reported once, whoever noticed first. */
static void test_idle_terminated_next_calls(void **state)
{
	struct fixture *fixture = *state;

	make_full_pools(fixture);
	terminate_all(fixture, TC_PATIENCE_MS);
	transact_100(fixture);
	assert_true(tc_gate_wait(&fixture->lock_reports.died, CONNECTIONS));
	assert_true(tc_gate_wait(&fixture->work_reports.died, CONNECTIONS));
	transact_100(fixture);
	assert_int_equal(reported(&fixture->lock_reports), CONNECTIONS);
	assert_int_equal(reported(&fixture->work_reports), CONNECTIONS);
	check_died(fixture->lock_pool);
	check_died(fixture->work_pool);
}

/* Mechanism: the retry of a transaction whose connection turns out dead at its first statement: here
 * the server has been told to end the backends, but may not have done so when acquire looks. */
static void test_terminated_at_the_same_time(void **state)
{
	struct fixture *fixture = *state;

	make_full_pools(fixture);
	terminate_all(fixture, 0);
	transact_100(fixture);
}

/* Mechanism: the idle timeout, and that it is no death. */
static void test_idle_timeout(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_pool_stats stats;
	struct tocsin_error error;

	fixture->work_pool = make_pool("aging", TOCSIN_POOL_WORK, tc_test_conninfo(), 200,
				       &fixture->work_reports);
	for (unsigned i = 1; i <= 2; i++) {
		assert_ok(tocsin_pool_transact(fixture->work_pool, select_one, NULL, &error));
		assert_true(tc_outside_wait(fixture->outside,
					    "select not exists (" TC_SQL_BACKENDS_OF ")", "aging"));
		tocsin_pool_get_stats(fixture->work_pool, &stats);
		assert_int_equal(stats.idle, 0);
		assert_int_equal(stats.closed, i);
		assert_int_equal(stats.died, 0);
	}
	assert_int_equal(reported(&fixture->work_reports), 0);
}

/* Mechanism: connecting counts against the connection timeout. The server here accepts (the kernel
 * does) and never says a word. */
static void test_server_that_never_answers(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;
	char conninfo[128];
	uint64_t before_ms;
	int result;

	assert_true(listener >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432",
		 fixture->directory);
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	snprintf(conninfo, sizeof(conninfo), "host=%s port=5432 dbname=x user=x",
		 fixture->directory);
	assert_ok(tocsin_pool_new(&fixture->work_pool,
				  &(struct tocsin_pool_options){.name = "mute",
								.conninfo = conninfo,
								.purpose = TOCSIN_POOL_WORK,
								.max = 1,
								.connection_timeout_ms = 300,
								.idle_timeout_ms = TC_PATIENCE_MS},
				  &error));
	before_ms = tc_test_clock_ms();
	result = tocsin_pool_acquire(fixture->work_pool, &connection, &error);
	assert_true(result == TOCSIN_E_TIMEOUT || result == TOCSIN_E_UNAVAILABLE);
	assert_contains(error.message, "connection timeout");
	assert_true(tc_test_clock_ms() - before_ms < TC_PATIENCE_MS / 4);
	close(listener);
	unlink(address.sun_path);
	/* The attempt that failed takes no place in the pool. */
	assert_code(tocsin_pool_acquire(fixture->work_pool, &connection, &error),
		    TOCSIN_E_UNAVAILABLE);
	assert_contains(error.message, fixture->directory);
}

/* The socket directory of the test's cluster, from a connection to it. */
static void find_socket_directory(struct fixture *fixture, char *ret_directory, size_t size)
{
	snprintf(ret_directory, size, "%s", PQhost(fixture->outside));
	assert_int_equal(ret_directory[0], '/');
}

static int work_once(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;

	(void)index;
	return tocsin_pool_transact(fixture->work_pool, select_one, NULL, error);
}

/* Mechanism: nothing is remembered of a failed attempt: a pool serves as soon as the database does.
 * Away means that the path to the socket is gone, and the backends too. */
static void test_away_and_back(void **state)
{
	struct fixture *fixture = *state;
	char link[64], directory[PATH_MAX], conninfo[256];
	struct tocsin_pool_stats stats;
	struct tocsin_error error;
	struct tc_crew crew;

	snprintf(link, sizeof(link), "%s/socket", fixture->directory);
	find_socket_directory(fixture, directory, sizeof(directory));
	assert_int_equal(symlink(directory, link), 0);
	snprintf(conninfo, sizeof(conninfo), "host=%s port=%s dbname=%s user=%s", link,
		 PQport(fixture->outside), PQdb(fixture->outside), PQuser(fixture->outside));
	fixture->work_pool = make_pool("abandoned", TOCSIN_POOL_WORK, conninfo, TC_PATIENCE_MS,
				       &fixture->work_reports);
	for (unsigned round = 0; round < 3; round++) {
		assert_ok(tocsin_pool_transact(fixture->work_pool, select_one, NULL, &error));
		assert_int_equal(unlink(link), 0);
		tc_outside_run(fixture->outside,
			       "select pg_terminate_backend(pid, %u) from (" TC_SQL_BACKENDS_OF
			       ") b",
			       TC_PATIENCE_MS, "abandoned");
		tc_crew_init(&crew); /* more than there are places: those who waited fail too */
		tc_crew_start(&crew, 4 * CONNECTIONS, work_once, fixture);
		tc_crew_finish(&crew, TOCSIN_E_UNAVAILABLE);
		assert_int_equal(symlink(directory, link), 0);
		tc_crew_init(&crew);
		tc_crew_start(&crew, 4 * CONNECTIONS, work_once, fixture);
		tc_crew_finish(&crew, TOCSIN_OK);
	}
	tocsin_pool_get_stats(fixture->work_pool, &stats);
	assert_int_equal(stats.in_use + stats.connecting + stats.waiting, 0);
	assert_int_equal(unlink(link), 0);
}

/* Ends its own session, and hears the server's last words before it returns success. */
static int end_own_session(struct tocsin_connection *connection, void *userdata,
			   struct tocsin_error *error)
{
	PGconn *pg = tocsin_connection_pg(connection);

	(void)error;
	*(unsigned *)userdata += 1;
	assert_int_equal(tc_test_terminate_backends("told"), 1);
	PQconsumeInput(pg);
	PQisBusy(pg); /* parses what came */
	return TOCSIN_OK;
}

/* The server says goodbye between the work and its commit. Nothing is a success that the server did not
 * confirm (seen: a pipeline that was not even read counted as one, and the missing answer was looked into). */
static void test_goodbye_before_commit(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_error error;
	unsigned calls = 0;

	fixture->work_pool = make_pool("told", TOCSIN_POOL_WORK, tc_test_conninfo(), TC_PATIENCE_MS,
				       &fixture->work_reports);
	assert_code(tocsin_pool_transact(fixture->work_pool, end_own_session, &calls, &error),
		    TOCSIN_E_UNAVAILABLE);
	assert_int_equal(calls, 1); /* what may have been committed is not done again */
	assert_ok(tocsin_pool_transact(fixture->work_pool, select_one, NULL, &error));
}

/* The same with the whole server killed: from the moment it accepts again, the pool serves; until
 * then the answer is "unavailable", and nothing else. Last, because it ends every connection. */
static void test_server_killed(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_error error;
	int result;

	make_full_pools(fixture);
	tc_test_kill_postmaster();
	result = tocsin_pool_transact(fixture->work_pool, select_one, NULL, &error);
	assert_true(result == TOCSIN_OK || result == TOCSIN_E_UNAVAILABLE);
	assert_true(tc_test_wait_accepting());
	transact_100(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_idle_terminated_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle_terminated_next_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_terminated_at_the_same_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_idle_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_server_that_never_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_away_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_goodbye_before_commit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_server_killed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
