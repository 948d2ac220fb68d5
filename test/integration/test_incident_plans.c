/* test/integration/test_incident_plans.c: how the statements of incidents are run at volume: 100,000 incidents of
 * which 1,000 are open, plans that fit any parameters, every statement there is.
 *
 * How it was seen to fail: without index incidents_open, or with an index of systems that does not know
 * is_open, a plan walks through what is resolved; without a row here, the statement is named. */
#include "base/buffer.h"
#include "base/macro.h"
#include "base/memory.h"
#include "pg/query.h"
#include "sql_app.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One of the incidents; it is open. Its update, its link, and an id that nothing has. */
#define INCIDENT "'018bcfe5-6fd1-7000-8000-000000002001'"
#define UPDATE   "'018bcfe5-6fd1-7000-8001-000000002001'"
#define LINK     "'018bcfe5-6fd1-7000-8002-000000002001'"
#define NEW      "'018bcfe5-6fd1-7000-8003-000000000001'"

/* The most rows that a part of a plan may read and throw away: a system has 100 open incidents. */
#define ROWS_REMOVED_MAX 400

static const char *sql_directory; /* of the sources */

struct plan {
	const struct tc_sql *sql;
	const char *arguments;
};

static const struct plan plans[] = {
	{&tc_sql_incident_add_link, "(%1$s, %4$s, 'http://new', null, 'public', 100, null)"},
	{&tc_sql_incident_add_update, "(%1$s, %4$s, 'm', 'resolved', 'public', null, null)"},
	{&tc_sql_incident_delete, "(%1$s, null)"},
	{&tc_sql_incident_delete_update, "(%1$s, %2$s, null)"},
	{&tc_sql_incident_edit_update,
	 "(%1$s, %2$s, 'new', 'fixing', true, null, null, 100, null)"},
	{&tc_sql_incident_get, "(%1$s, 'internal')"},
	{&tc_sql_incident_get_document, "(%1$s)"},
	{&tc_sql_incident_get_link, "(%1$s, %3$s)"},
	{&tc_sql_incident_get_states, "(array[%1$s, %4$s]::uuid[])"},
	{&tc_sql_incident_get_update, "(%1$s, %2$s)"},
	{&tc_sql_incident_has_suppression, "('s5')"},
	{&tc_sql_incident_list_all, "(51, null, null)"},
	{&tc_sql_incident_list_by_system, "(10000)"},
	{&tc_sql_incident_list_health_overrides, "('{s5,s6,nobody}')"},
	{&tc_sql_incident_list_of_systems, "('{s5,s6,nobody}', 100)"},
	{&tc_sql_incident_list_open, "(51, null, null)"},
	{&tc_sql_incident_list_refs, "(array[%1$s, %4$s]::uuid[])"},
	{&tc_sql_incident_list_system_all, "(51, null, null, 's5')"},
	{&tc_sql_incident_list_system_open, "(51, null, null, 's5')"},
	{&tc_sql_incident_list_updates, "(array[%1$s, %4$s]::uuid[], 'internal', 100)"},
	{&tc_sql_incident_lock, "(%1$s)"},
	{&tc_sql_incident_lock_none, ""},
	{&tc_sql_incident_open_batch,
	 "(array[%4$s]::uuid[], '{t}', '{NULL}', '{minor}', '{f}', '{NULL}', '{\"{s5}\"}', '{s5}', "
	 "'{NULL}', '{NULL}', '{NULL}', '{NULL}', false)"},
	{&tc_sql_incident_remove_link, "(%1$s, %3$s, null)"},
	{&tc_sql_incident_resolve, "(%1$s, %4$s, null, null, null)"},
	{&tc_sql_incident_set_lock_timeout, "('1000')"},
	{&tc_sql_incident_try_keys, "('{a,b}')"},
	{&tc_sql_incident_update, "(%1$s, 'new', null, true, 'critical', true, 'unhealthy', true, "
				  "'{s7,s9,new}', true, null)"},
	{&tc_sql_incident_update_link, "(%1$s, %3$s, 'http://new', null, true, 'internal', null)"},
	{&tc_sql_incident_wait_key, "('a')"},
};

static int set_up(void **state)
{
	if (tc_test_schema_setup(state))
		return -1;
	free(tc_test_sql(
		"insert into systems select 's' || g, 's' || g, true from generate_series(0, 999) "
		"g; "
		"create function id_of(g int, kind text) returns uuid language sql as $$ select "
		"(lpad(to_hex(1700000000000 + g), 12, '0') || '7000800' || kind || lpad(g::text, "
		"12, "
		"'0'))::uuid $$; "
		"create temporary table n as select g, id_of(g, '0') as id from "
		"generate_series(1, 100000) g; "
		"insert into incidents (id, title, status, severity, resolved_at) select id, 't', "
		"(case when g % 1000 < 10 then 'fixing' else 'resolved' end)::incident_status, "
		"'minor', case when g % 1000 >= 10 then now() end from n; "
		"insert into incident_systems select id, 's' || g % 10, g % 1000 < 10, 1 from n; "
		"insert into incident_updates (incident_id, id, message, status_change) select id, "
		"id_of(g, '1'), 'm', 'fixing' from n; "
		"insert into incident_links (incident_id, id, url) select id, id_of(g, '2'), "
		"'http://' "
		"|| g from n"));
	free(tc_test_sql("vacuum analyze"));
	return 0;
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

/* Replaces %1$s and so on; the formats are constants of ours, but no literals where they are used. */
static void append_arguments(struct tc_buffer *sql, const char *arguments)
{
	static const char *const ids[] = {INCIDENT, UPDATE, LINK, NEW};

	for (const char *at = arguments; *at; at++) {
		if (at[0] == '%' && at[1] >= '1' && at[1] <= '4') {
			tc_buffer_append_text(sql, ids[at[1] - '1']);
			at += 3; /* the rest of %1$s */
		} else {
			tc_buffer_append(sql, at, 1);
		}
	}
}

/* What it writes goes with its connection. */
static void check_plan(const struct plan *plan)
{
	TC_BUFFER sql = {0};
	TC_FREE char *found = NULL;

	tc_buffer_append_format(&sql,
				"begin; set local plan_cache_mode = force_generic_plan; "
				"set local tocsin.locked = '{t}'; prepare p as %s; "
				"explain (analyze, format json) execute p ",
				plan->sql->text);
	append_arguments(&sql, plan->arguments);
	found = tc_test_sql(sql.data);
	if (strstr(found, "\"Seq Scan\"") || most_rows_removed(found) > ROWS_REMOVED_MAX)
		fail_msg("%s: %s", plan->sql->name, found);
}

static void test_plans_at_volume(void **state)
{
	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(plans); i++)
		check_plan(&plans[i]);
}

static bool is_planned(const char *name, size_t length)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(plans); i++) {
		const char *own = plans[i].sql->name + strlen("incident_");

		if (strlen(own) == length && strncmp(own, name, length) == 0)
			return true;
	}
	return false;
}

static void test_every_statement_is_here(void **state)
{
	DIR *directory = opendir(sql_directory);
	unsigned count = 0;

	(void)state;
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));) {
		const char *end = strstr(entry->d_name, ".sql");

		if (!end || strspn(entry->d_name, "0123456789") == 4)
			continue;
		count++;
		if (!is_planned(entry->d_name, (size_t)(end - entry->d_name)))
			fail_msg("nobody looked at the plan of %s", entry->d_name);
	}
	closedir(directory);
	assert_int_equal(count, TC_ARRAY_LENGTH(plans));
}

/* Two statements show that the measure works: what must be found is found. */
static void test_the_check_finds_scans(void **state)
{
	TC_FREE char *scan = tc_test_sql(
		"explain (analyze, format json) select from incidents where title = 'x'");
	TC_FREE char *walk = tc_test_sql("set enable_seqscan = off; explain (analyze, format json) "
					 "select from incidents where title = 'x' order by id");

	(void)state;
	assert_non_null(strstr(scan, "\"Seq Scan\""));
	assert_true(most_rows_removed(walk) > ROWS_REMOVED_MAX);
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans_at_volume),
		cmocka_unit_test(test_every_statement_is_here),
		cmocka_unit_test(test_the_check_finds_scans),
	};

	if (count != 2) {
		fprintf(stderr, "usage: %s DIRECTORY_OF_THE_STATEMENTS\n", arguments[0]);
		return 2;
	}
	sql_directory = arguments[1];
	return cmocka_run_group_tests(tests, set_up, tc_test_postgres_teardown);
}
