/* test/integration/test_cluster.c: the embedded cluster: made once, one owner, heals, stops.
 *
 * How each was seen to fail: without the lock of tocsin.lock a second owner reaches PostgreSQL; without
 * tc_strays_end an orphan makes the next start fail, and a reused number in the pid file does too;
 * without the supervisor's loop nothing answers after kill -9; without PR_SET_PDEATHSIG the postmaster
 * outlives its parent. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pg/cluster.h"
#include "pg/cluster_internal.h"
#include "postgres.h"
#include <libpq-fe.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

TC_DEFINE_CLEANUP(PGconn *, PQfinish);
TC_DEFINE_CLEANUP(PGresult *, PQclear);

#define WAIT_MS 30000

/* What the cluster reported, for tests that wait for it. */
struct story {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned created, ready, died, restarted;
};

static void tell(const char *event, const char *detail, void *userdata)
{
	struct story *story = userdata;
	TC_LOCKED(&story->mutex);

	(void)detail;
	story->created += strcmp(event, "creating") == 0;
	story->ready += strcmp(event, "ready") == 0;
	story->died += strcmp(event, "died") == 0;
	story->restarted += strcmp(event, "restarted") == 0;
	pthread_cond_broadcast(&story->changed);
}

static bool wait_for_restarts(struct story *story, unsigned count)
{
	TC_LOCKED(&story->mutex);
	uint64_t deadline_ms = tc_clock_ms() + WAIT_MS;

	while (story->restarted < count) {
		if (!tc_cond_wait_until(&story->changed, &story->mutex, deadline_ms))
			return false;
	}
	return true;
}

static unsigned read_count(struct story *story, const unsigned *count)
{
	TC_LOCKED(&story->mutex);

	return *count;
}

/* One data directory a test. */
struct house {
	char *directory, *data;
	struct story story;
	struct tc_cluster_options options;
};

static int set_up(void **state)
{
	struct house *house = calloc(1, sizeof(*house));

	house->directory = tc_test_make_directory();
	if (asprintf(&house->data, "%s/data", house->directory) < 0)
		return -1;
	tc_mutex_init(&house->story.mutex);
	tc_cond_init(&house->story.changed);
	house->options = (struct tc_cluster_options){
		.data_directory = house->data, .notice = tell, .userdata = &house->story};
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	tc_test_remove_directory(house->directory);
	free(house->directory);
	free(house->data);
	free(house);
	return 0;
}

static struct tc_cluster *open_cluster(struct house *house)
{
	struct tc_cluster *cluster = NULL;
	struct tocsin_error error = {0};

	if (tc_cluster_new(&cluster, &house->options, &error) != TOCSIN_OK)
		fail_msg("tc_cluster_new: %s", error.message);
	return cluster;
}

static void run_sql(const struct tc_cluster *cluster, const char *sql, const char *expected)
{
	TC_CLEANUP(PQfinish) PGconn *pg = PQconnectdb(tc_cluster_conninfo(cluster));
	TC_CLEANUP(PQclear) PGresult *result = NULL;

	if (PQstatus(pg) != CONNECTION_OK)
		fail_msg("cannot connect: %s", PQerrorMessage(pg));
	result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	if (expected)
		assert_string_equal(PQgetvalue(result, 0, 0), expected);
}

static pid_t read_pid(const struct house *house)
{
	char path[4096];
	struct tc_place place = {.pid_file = path};
	struct tc_server_status status;

	snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", house->data);
	assert_true(tc_server_read_status(&place, &status));
	return status.pid;
}

static void write_pid_file(const struct house *house, pid_t pid)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", house->data);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%d\n%s/postgres\n1700000000\n5432\n%s/socket\n\n  1 1\nready   \n", (int)pid,
		house->data, house->data);
	fclose(file);
	assert_int_equal(chmod(path, 0666), 0);
}

static void test_made_once_and_kept(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = open_cluster(house);
	uint64_t start_ms;

	run_sql(cluster, "SHOW listen_addresses", "");
	run_sql(cluster, "SHOW fsync", "on");
	run_sql(cluster, "SHOW data_checksums", "on");
	run_sql(cluster, "SHOW server_encoding", "UTF8");
	run_sql(cluster, "SELECT current_database()", "tocsin");
	run_sql(cluster, "CREATE TABLE kept AS SELECT 42 AS value", NULL);
	tc_cluster_free(cluster);
	start_ms = tc_clock_ms();
	cluster = open_cluster(house);
	print_message("# existing cluster ready in %lu ms\n",
		      (unsigned long)(tc_clock_ms() - start_ms));
	run_sql(cluster, "SELECT value FROM kept", "42");
	assert_int_equal(read_count(&house->story, &house->story.created), 1);
	tc_cluster_free(cluster);
}

static void test_second_owner_refused(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = open_cluster(house), *second = NULL;
	struct tocsin_error error = {0};
	char pid[32];

	assert_int_equal(tc_cluster_new(&second, &house->options, &error), TOCSIN_E_EXISTS);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(error.message, pid));
	assert_non_null(strstr(error.message, house->data));
	run_sql(cluster, "SELECT 1", "1"); /* the first is unharmed */
	tc_cluster_free(cluster);
	tc_cluster_free(open_cluster(house));
}

static void test_found_by_others(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = open_cluster(house);
	TC_FREE char *conninfo = NULL;

	assert_int_equal(tc_cluster_find(house->data, &conninfo, NULL), TOCSIN_OK);
	assert_string_equal(conninfo, tc_cluster_conninfo(cluster));
	tc_cluster_free(cluster);
	assert_int_equal(tc_cluster_find(house->data, &conninfo, NULL), TOCSIN_E_NOT_FOUND);
}

static void test_stale_pid_file(void **state)
{
	struct house *house = *state;
	pid_t dead;

	tc_cluster_free(open_cluster(house));
	dead = fork();
	if (dead == 0)
		_exit(0);
	waitpid(dead, NULL, 0);
	write_pid_file(house, dead);
	tc_cluster_free(open_cluster(house));
	write_pid_file(house, getpid()); /* a number that now belongs to something else */
	tc_cluster_free(open_cluster(house));
}

/* A child that starts a cluster, for the caller to kill. */
static pid_t leave_behind(struct house *house)
{
	int ends[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct tc_cluster *cluster;

		close(ends[0]);
		if (tc_cluster_new(&cluster, &house->options, NULL) != TOCSIN_OK ||
		    write(ends[1], "r", 1) != 1)
			_exit(1);
		while (true)
			pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

static void wait_for_end(int pidfd)
{
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};

	assert_int_equal(poll(&poller, 1, WAIT_MS), 1);
}

static void test_postmaster_ends_with_its_parent(void **state)
{
	struct house *house = *state;
	pid_t child = leave_behind(house);
	TC_CLOSE int postmaster = pidfd_open(read_pid(house), 0);

	assert_true(postmaster >= 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	wait_for_end(postmaster);
	tc_cluster_free(open_cluster(house));
}

static void test_orphan_postmaster(void **state)
{
	struct house *house = *state;
	pid_t child = leave_behind(house), orphan = read_pid(house);
	TC_CLOSE int postmaster = pidfd_open(orphan, 0);
	struct tc_cluster *cluster;

	/* Stopped, it cannot follow the signal of its parent's death: it is there when the next comes. */
	assert_true(postmaster >= 0);
	assert_int_equal(kill(orphan, SIGSTOP), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(kill(orphan, 0), 0);
	assert_int_equal(kill(orphan, SIGCONT), 0);
	cluster = open_cluster(house);
	wait_for_end(postmaster);
	assert_int_not_equal(read_pid(house), orphan);
	run_sql(cluster, "SELECT 1", "1");
	tc_cluster_free(cluster);
}

static void test_heals_after_kill(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = open_cluster(house);
	TC_CLEANUP(PQfinish) PGconn *busy = PQconnectdb(tc_cluster_conninfo(cluster));
	uint64_t start_ms;

	run_sql(cluster, "CREATE TABLE kept AS SELECT 42 AS value", NULL);
	/* A backend that does not notice by itself that its postmaster is gone. */
	assert_int_equal(PQsendQuery(busy, "SELECT count(*) FROM generate_series(1, 10000000000)"),
			 1);
	for (unsigned i = 1; i <= 3; i++) {
		start_ms = tc_clock_ms();
		kill(read_pid(house), SIGKILL);
		assert_true(wait_for_restarts(&house->story, i));
		print_message("# healed in %lu ms\n", (unsigned long)(tc_clock_ms() - start_ms));
		run_sql(cluster, "SELECT value FROM kept", "42");
	}
	assert_int_equal(read_count(&house->story, &house->story.died), 3);
	tc_cluster_free(cluster);
}

static void test_half_made_cluster(void **state)
{
	struct house *house = *state;
	TC_FREE char *half = NULL, *file = NULL;
	struct tc_cluster *cluster;

	assert_true(asprintf(&half, "%s/postgres.new", house->data) > 0);
	assert_int_equal(mkdir(house->data, 0700), 0);
	assert_int_equal(mkdir(half, 0700), 0);
	assert_true(asprintf(&file, "%s/PG_VERSION", half) > 0);
	fclose(fopen(file, "w"));
	cluster = open_cluster(house);
	run_sql(cluster, "SELECT 1", "1");
	tc_cluster_free(cluster);
}

static void test_long_directory(void **state)
{
	struct house *house = *state;
	TC_FREE char *longer = NULL;
	struct tc_cluster *cluster;
	struct stat status;
	char socket[256];

	assert_true(asprintf(&longer, "%s/%0100d/data", house->data, 7) > 0);
	house->options.data_directory = longer;
	cluster = open_cluster(house);
	run_sql(cluster, "SHOW unix_socket_directories", NULL);
	sscanf(tc_cluster_conninfo(cluster), "host='%255[^']'", socket);
	assert_true(strlen(socket) < 90);
	assert_int_equal(stat(socket, &status), 0);
	assert_int_equal(status.st_mode & 077, 0);
	tc_cluster_free(cluster);
	assert_int_equal(stat(socket, &status), -1); /* nothing stays behind under /tmp */
}

static void test_unreachable_directory(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = NULL;
	struct tocsin_error error = {0};

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(house->directory, 0700), 0);
	assert_int_equal(tc_cluster_new(&cluster, &house->options, &error), TOCSIN_E_INVALID);
	assert_non_null(strstr(error.message, house->directory));
	assert_non_null(strstr(error.message, "TOCSIN_DATA_DIR"));
}

/* Seen to fail before it was checked: PostgreSQL was started as somebody who cannot read its files. */
static void test_another_users_cluster(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = NULL;
	struct tocsin_error error = {0};
	char path[4096];

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "%s/postgres", house->data);
	assert_int_equal(mkdir(house->data, 0700), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(tc_cluster_new(&cluster, &house->options, &error), TOCSIN_E_INVALID);
	assert_non_null(strstr(error.message, "id 12345"));
}

static void test_failure_shows_the_log(void **state)
{
	struct house *house = *state;
	struct tc_cluster *cluster = NULL;
	struct tocsin_error error = {0};
	char path[4096];
	FILE *file;

	tc_cluster_free(open_cluster(house));
	snprintf(path, sizeof(path), "%s/postgres/postgresql.conf", house->data);
	file = fopen(path, "a");
	assert_non_null(file);
	fputs("no_such_setting = 1\n", file);
	fclose(file);
	assert_int_equal(tc_cluster_new(&cluster, &house->options, &error), TOCSIN_E_SYSTEM);
	assert_non_null(strstr(error.message, "no_such_setting"));
	assert_non_null(strstr(error.message, "postgres.log"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_made_once_and_kept),
		CASE(test_second_owner_refused),
		CASE(test_found_by_others),
		CASE(test_stale_pid_file),
		CASE(test_postmaster_ends_with_its_parent),
		CASE(test_orphan_postmaster),
		CASE(test_heals_after_kill),
		CASE(test_half_made_cluster),
		CASE(test_long_directory),
		CASE(test_unreachable_directory),
		CASE(test_another_users_cluster),
		CASE(test_failure_shows_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
