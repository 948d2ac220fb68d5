/* test/integration/test_migrate.c: migrations run once, in order, by one of many.
 *
 * How each was seen to fail: without migrate_lock.sql two at once fail with "already exists" or apply
 * twice; without the comparison in find_next a newer database is accepted. */
#include "base/memory.h"
#include "base/thread.h"
#include "pg/migrate.h"
#include "postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_MS 20000u
#define NODES   8

static const struct tc_migration migrations[] = {
	{1, "first", "CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1);"},
	{2, "second", "INSERT INTO thing VALUES (2); SELECT pg_sleep(0.05);"},
	{3, "third", "ALTER TABLE thing ADD note text;"},
};
#define COUNT (sizeof(migrations) / sizeof(migrations[0]))

static int clean(void **state)
{
	(void)state;
	free(tc_test_sql("DROP TABLE IF EXISTS thing, tocsin_migrations"));
	return 0;
}

static void test_runs_each_once(void **state)
{
	unsigned applied = 99;

	(void)state;
	assert_int_equal(tc_migrate(tc_test_conninfo(), migrations, 1, WAIT_MS, &applied, NULL),
			 TOCSIN_OK);
	assert_int_equal(applied, 1);
	assert_int_equal(tc_migrate(tc_test_conninfo(), migrations, COUNT, WAIT_MS, &applied, NULL),
			 TOCSIN_OK);
	assert_int_equal(applied, 2);
	assert_int_equal(tc_migrate(tc_test_conninfo(), migrations, COUNT, WAIT_MS, &applied, NULL),
			 TOCSIN_OK);
	assert_int_equal(applied, 0);
	assert_number("SELECT count(*) FROM thing", 2);
	assert_number("SELECT max(version) FROM tocsin_migrations", 3);
}

struct node {
	pthread_t thread;
	unsigned applied;
	int result;
	struct tocsin_error error;
};

static void *run_node(void *argument)
{
	struct node *node = argument;

	node->result = tc_migrate(tc_test_conninfo(), migrations, COUNT, WAIT_MS, &node->applied,
				  &node->error);
	return NULL;
}

static void test_many_at_once(void **state)
{
	struct node nodes[NODES] = {0};
	unsigned applied = 0;

	(void)state;
	for (int i = 0; i < NODES; i++)
		assert_int_equal(
			tc_thread_start(&nodes[i].thread, "node", run_node, &nodes[i], NULL), 0);
	for (int i = 0; i < NODES; i++) {
		pthread_join(nodes[i].thread, NULL);
		if (nodes[i].result != TOCSIN_OK)
			fail_msg("node %d: %s", i, nodes[i].error.message);
		applied += nodes[i].applied;
	}
	assert_int_equal(applied, COUNT);
	assert_number("SELECT count(*) FROM tocsin_migrations", COUNT);
}

static void test_newer_database_refused(void **state)
{
	struct tocsin_error error = {0};

	(void)state;
	assert_int_equal(tc_migrate(tc_test_conninfo(), migrations, COUNT, WAIT_MS, NULL, NULL),
			 TOCSIN_OK);
	assert_int_equal(
		tc_migrate(tc_test_conninfo(), migrations, COUNT - 1, WAIT_MS, NULL, &error),
		TOCSIN_E_INVALID);
	assert_non_null(strstr(error.message, "version 3"));
	assert_non_null(strstr(error.message, "version 2"));
}

static void test_failure_leaves_nothing(void **state)
{
	static const struct tc_migration broken[] = {
		{1, "good", "CREATE TABLE thing (id int PRIMARY KEY);"},
		{2, "bad", "INSERT INTO thing VALUES (7); SELECT no_such_column FROM thing;"},
	};
	struct tocsin_error error = {0};

	(void)state;
	assert_int_equal(tc_migrate(tc_test_conninfo(), broken, 2, WAIT_MS, NULL, &error),
			 TOCSIN_E_DATABASE);
	assert_non_null(strstr(error.message, "migration 2 (bad)"));
	assert_string_equal(error.sqlstate, "42703");
	assert_number("SELECT count(*) FROM thing", 0);
	assert_number("SELECT max(version) FROM tocsin_migrations", 1);
}

/* The rows say what is to be done about it. Seen to fail with the primary message only. */
static void test_failure_names_the_row(void **state)
{
	static const struct tc_migration broken[] = {
		{1, "twins",
		 "CREATE TABLE twin (name text); INSERT INTO twin VALUES ('zoe'), ('zoe');"
		 "CREATE UNIQUE INDEX twin_name ON twin (name);"},
	};
	struct tocsin_error error = {0};

	(void)state;
	assert_int_equal(tc_migrate(tc_test_conninfo(), broken, 1, WAIT_MS, NULL, &error),
			 TOCSIN_E_EXISTS);
	assert_non_null(strstr(error.message, "twin_name"));
	assert_non_null(strstr(error.message, "(name)=(zoe)"));
}

static void test_real_migrations(void **state)
{
	TC_FREE char *name = NULL;
	unsigned applied = 0;
	struct tocsin_error error = {0};

	(void)state;
	name = tc_test_sql("CREATE DATABASE real_ones");
	if (tc_migrate("host=/nowhere dbname=none", migrations, 1, WAIT_MS, NULL, &error) ==
	    TOCSIN_OK)
		fail_msg("connected to nowhere");
	assert_int_equal(error.code, TOCSIN_E_UNAVAILABLE);
	assert_true(asprintf(&name, "%s dbname=real_ones", tc_test_conninfo()) > 0);
	if (tc_migrate(name, tc_migrations, tc_migrations_count, WAIT_MS, &applied, &error) !=
	    TOCSIN_OK)
		fail_msg("%s", error.message);
	assert_int_equal(applied, tc_migrations_count);
}

#define CASE(name) cmocka_unit_test_setup(name, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_runs_each_once),         CASE(test_many_at_once),
		CASE(test_newer_database_refused), CASE(test_failure_leaves_nothing),
		CASE(test_failure_names_the_row),  CASE(test_real_migrations),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
