/* support/plans.c: see plans.h. */
#include "plans.h"

#include "base/buffer.h"
#include "base/macro.h"
#include "base/memory.h"
#include "postgres.h"
#include "schema.h"
#include <dirent.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

TC_DEFINE_CLEANUP(PGconn *, PQfinish);
TC_DEFINE_CLEANUP(PGresult *, PQclear);
TC_DEFINE_CLEANUP(DIR *, closedir);

static const struct tc_plan_program *program;
static const char *source_directory;

/* A transaction whose statements are run by one process: what functions scan in its helpers is not counted here. */
#define BEGIN "begin; set local max_parallel_workers_per_gather = 0; "
/* As in the server's pools (app/pools.c). */
#define POOL "set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off; "

static PGconn *connect_to_cluster(void)
{
	PGconn *pg = PQconnectdb(tc_test_conninfo());

	if (PQstatus(pg) != CONNECTION_OK)
		fail_msg("cannot connect: %s", PQerrorMessage(pg));
	return pg;
}

/* Several statements; the value of the last, owned by the caller. */
static char *run(PGconn *pg, const char *sql)
{
	TC_CLEANUP(PQclear) PGresult *result = PQexec(pg, sql);

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	return strdup(PQgetvalue(result, 0, 0));
}

/* The most rows that a node of an analysed plan read and threw away. */
static long most_rows_removed(const char *plan)
{
	static const char label[] = "\"Rows Removed by Filter\": ";
	long most = 0;

	while ((plan = strstr(plan, label))) {
		plan += strlen(label);
		most = TC_MAX(most, strtol(plan, NULL, 10));
	}
	return most;
}

/* Names of big tables that the open transaction has read from end to end; owned by the caller. */
static char *scanned_tables(PGconn *pg)
{
	TC_BUFFER sql = {0};

	tc_buffer_append_format(
		&sql,
		"select coalesce(string_agg(s.relname, ' '), '') from pg_stat_xact_user_tables s "
		"join pg_class c on c.oid = s.relid where s.seq_scan > 0 and c.reltuples > %d",
		TC_PLAN_BIG_ROWS);
	return run(pg, sql.data);
}

/* What it writes goes with its connection. */
static void check(const char *name, const char *explain)
{
	TC_CLEANUP(PQfinish) PGconn *pg = connect_to_cluster();
	TC_FREE char *found = run(pg, explain);
	TC_FREE char *scanned = scanned_tables(pg);

	if (*scanned || most_rows_removed(found) > TC_PLAN_REMOVED_MAX)
		fail_msg("%s reads all of [%s] or throws much away: %s", name, scanned, found);
}

/* A row, a row a reader, a row a node. */
static bool stays_small(const char *table)
{
	static const char *const names[] = {"event_horizon\"", "event_readers\"", "nodes\""};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(names); i++)
		if (strncmp(table, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Its plan may last until long after the tables have grown. */
static void check_lasting(const char *name, const char *explain)
{
	static const char scan[] = "\"Node Type\": \"Seq Scan\"", table[] = "\"Relation Name\": \"";
	TC_CLEANUP(PQfinish) PGconn *pg = connect_to_cluster();
	TC_FREE char *found = run(pg, explain);
	const char *place = found;

	while ((place = strstr(place, scan)) && (place = strstr(place, table))) {
		place += strlen(table);
		if (!stays_small(place))
			fail_msg("%s would still read all when tables have grown: %s", name, found);
	}
}

/* Each plan; stops at the first that is bad, and prints it. */
static void check_plans(const char *explain,
			void (*check_one)(const char *name, const char *explain))
{
	for (size_t i = 0; i < program->rooms_count; i++) {
		const struct tc_plan_room *room = &program->rooms[i];

		for (size_t k = 0; k < room->count; k++) {
			const struct tc_plan *plan = &room->plans[k];
			TC_BUFFER sql = {0};

			if (!plan->arguments)
				continue;
			tc_buffer_append_format(&sql,
						BEGIN POOL "set local tocsin.locked = '{t}'; "
							   "prepare p as %s; %s execute p %s",
						plan->sql->text, explain, plan->arguments);
			check_one(plan->sql->name, sql.data);
		}
	}
}

static bool is_planned(const char *name, const struct tc_plan *plans, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(plans[i].sql->name, name) == 0)
			return true;
	return false;
}

static void check_complete(const struct tc_plan_room *room)
{
	TC_CLEANUP(closedir) DIR *files = NULL;
	unsigned statements = 0;
	char directory[4096];

	snprintf(directory, sizeof(directory), "%s/%s/sql", source_directory, room->directory);
	files = opendir(directory);
	if (!files)
		fail_msg("there is no %s", directory);
	for (struct dirent *entry; files && (entry = readdir(files));) {
		const char *end = strstr(entry->d_name, ".sql");
		char name[128];

		if (!end || strspn(entry->d_name, "0123456789") == 4)
			continue;
		snprintf(name, sizeof(name), "%s_%.*s", room->room, (int)(end - entry->d_name),
			 entry->d_name);
		statements++;
		if (!is_planned(name, room->plans, room->count))
			fail_msg("nobody looked at the plan of %s", name);
	}
	assert_true(statements > 0);
}

static void test_the_check_finds_scans(void **state)
{
	TC_CLEANUP(PQfinish) PGconn *pg = connect_to_cluster();
	TC_BUFFER sql = {0};
	TC_FREE char *found = NULL;
	TC_FREE char *scanned = NULL;

	(void)state;
	tc_buffer_append_format(&sql,
				BEGIN "set local enable_seqscan = off; explain (analyze, "
				      "format json) %s",
				program->walk);
	found = run(pg, sql.data);
	assert_true(most_rows_removed(found) > TC_PLAN_REMOVED_MAX);
	free(scanned_tables(pg)); /* it may be that this is how it walks */
	tc_buffer_clear(&sql);
	/* In a function, called where the planner would rather have helpers than not. */
	tc_buffer_append_format(
		&sql,
		"rollback; " BEGIN "set local min_parallel_table_scan_size = 0; "
		"set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0; "
		"set local parallel_leader_participation = off; "
		"create function pg_temp.scan() returns text parallel safe "
		"language plpgsql as $$ begin return (%s); end $$; "
		"select count(*) from pg_proc where prosrc = 'now' and prosrc <> "
		"pg_temp.scan()",
		program->scan);
	free(run(pg, sql.data));
	scanned = scanned_tables(pg);
	assert_true(*scanned);
}

static int set_up(void **state)
{
	TC_BUFFER sql = {0};

	if (tc_test_schema_setup(state))
		return -1;
	for (size_t i = 0; i < program->data_count; i++)
		tc_buffer_append_format(&sql, "%s; ", program->data[i]);
	free(tc_test_sql(sql.data));
	free(tc_test_sql("vacuum analyze"));
	return 0;
}

static void test_plans_at_volume(void **state)
{
	(void)state;
	check_plans("explain (analyze, format json)", check);
}

static void test_plans_of_empty_tables(void **state)
{
	(void)state;
	free(tc_test_sql("do $$ begin execute (select 'truncate ' || "
			 "string_agg(quote_ident(tablename), ', ') "
			 "from pg_tables where schemaname = current_schema()); end $$"));
	free(tc_test_sql("vacuum analyze"));
	check_plans("explain (format json)", check_lasting);
}

static void test_every_statement_is_here(void **state)
{
	(void)state;
	for (size_t i = 0; i < program->rooms_count; i++)
		check_complete(&program->rooms[i]);
}

int tc_plans_main(int count, char **arguments, const struct tc_plan_program *of)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans_at_volume),
		cmocka_unit_test(test_every_statement_is_here),
		cmocka_unit_test(test_the_check_finds_scans),
		cmocka_unit_test(test_plans_of_empty_tables),
	};

	if (count != 2) {
		fprintf(stderr, "usage: %s DIRECTORY_OF_THE_SOURCES\n", arguments[0]);
		return 2;
	}
	program = of;
	source_directory = arguments[1];
	return cmocka_run_group_tests(tests, set_up, tc_test_postgres_teardown);
}
