/* test_pool_hosts.c: a pool, and the listener for hints, whose connection string names several hosts: one that is not
 * there, one that takes connections and never answers, one that does not take writes, and the right one.
 *
 * Seen to fail: with one connect_timeout of the whole bound for each host, "mute" (the first takes all of it); with all
 * hosts in one connect of libpq's that does not block, "listener";
 * without read-write in the string, "writes" (a host that takes no writes is as good as any). */
#include "base/clock.h"
#include "core/outbox/hints.h"
#include "support/crew.h"
#include "support/postgres.h"
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

#define TIMEOUT_MS 8000u

/* A later word of a connection string replaces an earlier one. */
static void name_hosts(char *ret_conninfo, size_t size, const char *hosts, const char *rest)
{
	PGconn *known = PQconnectdb(tc_test_conninfo());

	snprintf(ret_conninfo, size, "%s host=%s,%s %s", tc_test_conninfo(), hosts, PQhost(known),
		 rest);
	PQfinish(known);
}

static struct tocsin_pool *make_pool(const char *hosts, const char *rest)
{
	struct tocsin_pool *pool = NULL;
	struct tocsin_error error;
	char conninfo[512];

	name_hosts(conninfo, sizeof(conninfo), hosts, rest);
	assert_ok(tocsin_pool_new(&pool,
				  &(struct tocsin_pool_options){.name = "hosts",
								.conninfo = conninfo,
								.purpose = TOCSIN_POOL_WORK,
								.max = 2,
								.connection_timeout_ms = TIMEOUT_MS,
								.idle_timeout_ms = 30000},
				  &error));
	return pool;
}

/* How long it took to get a connection that works. */
static uint64_t time_acquire(struct tocsin_pool *pool)
{
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;
	uint64_t start_ms = tc_clock_ms();

	assert_ok(tocsin_pool_acquire(pool, &connection, &error));
	assert_int_equal(PQstatus(tocsin_connection_pg(connection)), CONNECTION_OK);
	tocsin_pool_release(connection);
	return tc_clock_ms() - start_ms;
}

static void test_absent(void **state)
{
	struct tocsin_pool *pool = make_pool("/nonexistent", "");

	(void)state;
	assert_true(time_acquire(pool) < TIMEOUT_MS / 2);
	/* And again when its connections were ended. */
	assert_int_equal(tc_test_terminate_backends("hosts"), 1);
	assert_true(time_acquire(pool) < TIMEOUT_MS / 2);
	tocsin_pool_free(pool);
}

/* A host that takes connections, and says nothing. */
struct mute {
	char *directory;
	int fd;
};

static void mute_init(struct mute *mute)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	mute->directory = tc_test_make_directory();
	mute->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", mute->directory);
	assert_int_equal(bind(mute->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(mute->fd, 8), 0);
}

static void mute_deinit(struct mute *mute)
{
	close(mute->fd);
	tc_test_remove_directory(mute->directory);
	free(mute->directory);
}

/* Half of the bound is left for the second host. */
static void test_mute(void **state)
{
	struct tocsin_pool *pool;
	struct mute mute;
	uint64_t took_ms;

	(void)state;
	mute_init(&mute);
	pool = make_pool(mute.directory, "");
	took_ms = time_acquire(pool);
	assert_true(took_ms >= 2000 && took_ms < TIMEOUT_MS);
	tocsin_pool_free(pool);
	mute_deinit(&mute);
}

static void on_hint(const char *detail, void *userdata)
{
	(void)detail;
	tc_gate_signal(userdata);
}

/* It leaves a host that is silent, and finds the one that listens again when its connection was ended. */
static void test_listener(void **state)
{
	struct tc_hints *hints = NULL;
	struct tocsin_error error;
	struct tc_gate gate;
	struct mute mute;
	char conninfo[512];

	(void)state;
	mute_init(&mute);
	name_hosts(conninfo, sizeof(conninfo), mute.directory, "");
	tc_gate_init(&gate);
	assert_ok(tc_hints_new(&hints, conninfo, &error));
	assert_ok(tc_hints_subscribe(hints, "hosts", on_hint, &gate, &error));
	assert_true(tc_gate_wait(&gate, 1));
	assert_int_equal(tc_test_terminate_backends("tocsin listener"), 1);
	assert_true(tc_gate_wait(&gate, 2));
	tc_hints_free(hints);
	tc_gate_deinit(&gate);
	mute_deinit(&mute);
}

/* No host takes writes: that is an error, and a clear one; as soon as one does, the pool serves. */
static void test_writes(void **state)
{
	struct tocsin_pool *pool = make_pool("/nonexistent", "target_session_attrs=read-write");
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql("alter database tocsin set default_transaction_read_only = on"));
	assert_int_equal(tocsin_pool_acquire(pool, &connection, &error), TOCSIN_E_UNAVAILABLE);
	assert_null(connection);
	free(tc_test_sql("begin read write;"
			 "alter database tocsin reset default_transaction_read_only; commit"));
	time_acquire(pool);
	tocsin_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_writes),
	};

	return cmocka_run_group_tests_name("pool_hosts", tests, tc_test_postgres_setup,
					   tc_test_postgres_teardown);
}
