/* test_pool_hosts.c: a pool whose connection string names several hosts: one that is not there, one that
 * takes connections and never answers, one that does not take writes, and the right one.
 *
 * Seen to fail: with one connect_timeout of the whole bound for each host, "mute" (the first takes all of it);
 * without read-write in the string, "writes" (a host that takes no writes is as good as any). */
#include "base/clock.h"
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

static struct tocsin_pool *make_pool(const char *hosts, const char *rest)
{
	PGconn *known = PQconnectdb(tc_test_conninfo());
	struct tocsin_pool *pool = NULL;
	struct tocsin_error error;
	char conninfo[512];

	/* A later word of a connection string replaces an earlier one. */
	snprintf(conninfo, sizeof(conninfo), "%s host=%s,%s %s", tc_test_conninfo(), hosts,
		 PQhost(known), rest);
	PQfinish(known);
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

/* The first host takes the connection, and says nothing: half of the bound is left for the second. */
static void test_mute(void **state)
{
	char *directory = tc_test_make_directory();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct tocsin_pool *pool;
	uint64_t took_ms;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	pool = make_pool(directory, "");
	took_ms = time_acquire(pool);
	assert_true(took_ms >= 2000 && took_ms < TIMEOUT_MS);
	tocsin_pool_free(pool);
	close(fd);
	tc_test_remove_directory(directory);
	free(directory);
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
		cmocka_unit_test(test_writes),
	};

	return cmocka_run_group_tests_name("pool_hosts", tests, tc_test_postgres_setup,
					   tc_test_postgres_teardown);
}
