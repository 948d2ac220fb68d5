/* test/support/postgres.c: see postgres.h. */
#include "postgres.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/memory.h"
#include "pg/cluster.h"
#include "pg/cluster_internal.h"
#include <libpq-fe.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <cmocka.h>

TC_DEFINE_CLEANUP(PGconn *, PQfinish);
TC_DEFINE_CLEANUP(PGresult *, PQclear);

#define ACCEPTING_TIMEOUT_MS 20000

static struct {
	char *directory;
	struct tc_cluster *cluster;
} fixture;

char *tc_test_make_directory(void)
{
	char path[] = "/tmp/tocsin-test-XXXXXX";

	assert_non_null(mkdtemp(path));
	/* PostgreSQL's user must get through; the data directory below is private again. */
	assert_int_equal(chmod(path, 0711), 0);
	return strdup(path);
}

void tc_test_remove_directory(const char *path)
{
	assert_true(tc_place_remove_tree(path));
}

static void print_notice(const char *event, const char *detail, void *userdata)
{
	(void)userdata;
	if (strcmp(event, "died") == 0 || strcmp(event, "failed") == 0)
		fprintf(stderr, "# test cluster %s: %s\n", event, detail);
}

int tc_test_postgres_setup(void **state)
{
	struct tc_cluster_options options = {.notice = print_notice};
	struct tocsin_error error;
	TC_FREE char *data = NULL;

	(void)state;
	fixture.directory = tc_test_make_directory();
	if (!fixture.directory || asprintf(&data, "%s/data", fixture.directory) < 0)
		return -1;
	options.data_directory = data;
	if (tc_cluster_new(&fixture.cluster, &options, &error) != TOCSIN_OK) {
		fprintf(stderr, "# test cluster: %s\n", error.message);
		tc_test_remove_directory(fixture.directory);
		return -1;
	}
	return 0;
}

int tc_test_postgres_teardown(void **state)
{
	(void)state;
	fixture.cluster = tc_cluster_free(fixture.cluster);
	if (fixture.directory)
		tc_test_remove_directory(fixture.directory);
	free(fixture.directory);
	fixture.directory = NULL;
	return 0;
}

const char *tc_test_conninfo(void)
{
	return tc_cluster_conninfo(fixture.cluster);
}

const char *tc_test_data_directory(void)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/data", fixture.directory);
	return path;
}

char *tc_test_sql(const char *sql)
{
	TC_CLEANUP(PQfinish) PGconn *pg = PQconnectdb(tc_test_conninfo());
	TC_CLEANUP(PQclear) PGresult *result = NULL;
	ExecStatusType status;

	if (PQstatus(pg) != CONNECTION_OK)
		fail_msg("cannot connect: %s", PQerrorMessage(pg));
	result = PQexec(pg, sql);
	status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0))
		return NULL;
	return strdup(PQgetvalue(result, 0, 0));
}

long tc_test_sql_number(const char *sql)
{
	TC_FREE char *value = tc_test_sql(sql);

	if (!value)
		fail_msg("%s: no value", sql);
	return value ? strtol(value, NULL, 10) : -1;
}

void tc_test_assert_number(const char *sql, long expected, const char *file, int line)
{
	long found = tc_test_sql_number(sql);

	if (found == expected)
		return;
	print_error("%s: %ld, not %ld\n", sql, found, expected);
	_fail(file, line);
}

void tc_test_assert_text(const char *sql, const char *expected, const char *file, int line)
{
	TC_FREE char *found = tc_test_sql(sql);

	if (found && strcmp(found, expected) == 0)
		return;
	print_error("%s: %s, not %s\n", sql, found ? found : "null", expected);
	_fail(file, line);
}

long tc_test_terminate_backends(const char *application_name_prefix)
{
	TC_CLEANUP(PQfinish) PGconn *pg = PQconnectdb(tc_test_conninfo());
	TC_CLEANUP(PQclear) PGresult *result = NULL;
	const char *values[] = {application_name_prefix};

	if (PQstatus(pg) != CONNECTION_OK)
		fail_msg("cannot connect: %s", PQerrorMessage(pg));
	/* With a timeout the function returns when the backend is gone, not when it was told. */
	result = PQexecParams(pg,
			      "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) "
			      "FROM pg_stat_activity WHERE backend_type = 'client backend' "
			      "AND pid <> pg_backend_pid() AND starts_with(application_name, $1)",
			      1, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("cannot terminate backends: %s", PQerrorMessage(pg));
	return strtol(PQgetvalue(result, 0, 0), NULL, 10);
}

static void pid_file_path(char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/postgres/postmaster.pid", tc_test_data_directory());
}

static pid_t read_pid(bool *ret_is_ready)
{
	struct tc_server_status status = {0};
	char path[4200];
	struct tc_place place = {.pid_file = path};

	pid_file_path(path, sizeof(path));
	if (!tc_server_read_status(&place, &status))
		return 0;
	if (ret_is_ready)
		*ret_is_ready = status.is_ready;
	return status.pid;
}

void tc_test_kill_postmaster(void)
{
	struct tc_process postmaster = {.pid = read_pid(NULL)};

	assert_true(postmaster.pid > 0);
	assert_int_equal(kill(postmaster.pid, SIGKILL), 0);
}

bool tc_test_wait_accepting(void)
{
	TC_CLOSE int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	uint64_t deadline_ms = tc_clock_ms() + ACCEPTING_TIMEOUT_MS;
	char path[4200], events[4096];

	snprintf(path, sizeof(path), "%s/postgres", tc_test_data_directory());
	assert_true(fd >= 0);
	assert_true(inotify_add_watch(fd, path,
				      IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE) >= 0);
	while (tc_clock_remaining_ms(deadline_ms) > 0) {
		bool is_ready = false;

		if (read_pid(&is_ready) > 0 && is_ready && PQping(tc_test_conninfo()) == PQPING_OK)
			return true;
		/* At most a second at a time: a file left by a killed postmaster says ready, too. */
		if (poll(&poller, 1, TC_MIN(1000, (int)tc_clock_remaining_ms(deadline_ms))) > 0 &&
		    read(fd, events, sizeof(events)) < 0)
			return false;
	}
	return false;
}
