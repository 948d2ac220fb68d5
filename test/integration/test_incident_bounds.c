/* test/integration/test_incident_bounds.c: what one incident may have, so that it can be shown, and what one answer may.
 *
 * How each was seen to fail: without the conflict in add_update.sql, or the second one in edit_update.sql, the timeline
 * grows on; with tc_store_finish asking for `failed` alone, an answer that is too long is told as memory that ran out. */
#include "base/memory.h"
#include "modules/incident/incident_internal.h"
#include "sql_app.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define INCIDENT "018bcfe5-6800-7000-8000-000000000000"
#define UPDATE   "018bcfe5-6800-7000-8001-000000000104"
/* 104 updates of the longest messages, of characters of four bytes, and one of nearly 15,000 bytes less than a timeline
 * may have. */
#define FILL                                                                                       \
	"insert into incidents (id, title, severity) values ('" INCIDENT "', 't', 'minor'); "      \
	"insert into incident_updates (incident_id, id, message) select '" INCIDENT                \
	"', ('018bcfe5-6800-7000-8001-' || lpad(n::text, 12, '0'))::uuid, repeat(U&'\\+01F525', "  \
	"20000) from generate_series(1, 104) n"

static struct tocsin_pool *pool;

static int set_up(void **state)
{
	return tc_test_work_setup(state, 4, &pool);
}

static int tear_down(void **state)
{
	return tc_test_work_teardown(state, &pool);
}

static int fill(void **state)
{
	(void)state;
	free(tc_test_sql("truncate systems, incidents, events, alerts cascade"));
	free(tc_test_sql(FILL));
	return 0;
}

/* `length` characters. */
static int say(size_t length, const char *status, struct tocsin_error *error)
{
	TC_FREE char *message = malloc(length + 1);
	const struct tc_incident_update update = {.incident_id = INCIDENT,
						  .message = message,
						  .status = status,
						  .visibility = TC_INCIDENT_PUBLIC};
	TC_BUFFER json = {0};

	assert_non_null(message);
	memset(message, 'm', length);
	message[length] = '\0';
	return tc_incident_add_update(pool, &update, &json, error);
}

static void test_a_timeline_ends(void **state)
{
	const struct tc_incident_update resolution = {.incident_id = INCIDENT};
	const char *const whole[] = {INCIDENT, TC_INCIDENT_INTERNAL};
	struct tocsin_error error;
	TC_BUFFER shown = {0};

	(void)state;
	assert_int_equal(say(20000, "fixing", &error), TOCSIN_E_EXISTS);
	assert_non_null(strstr(error.message, "timeline has 8388608 bytes"));
	assert_number("select count(*) from incidents where status = 'investigating'", 1);
	assert_number("select count(*) from events", 0);
	assert_ok(say(10000, "fixing", &error));
	assert_int_equal(say(10000, NULL, &error), TOCSIN_E_EXISTS);
	assert_number("select count(*) from incident_updates", 105);
	assert_ok(tc_incident_read_document(pool, &tc_sql_incident_get, whole, &shown, &error));
	assert_ok(tc_incident_resolve(pool, &resolution, NULL, NULL, &error));
	assert_number("select count(*) from incidents where status = 'resolved'", 1);
	assert_ok(tc_incident_delete_update(pool, INCIDENT, UPDATE, NULL, &error));
	assert_ok(say(20000, "fixing", &error));
}

static void test_an_edit_history_ends_with_it(void **state)
{
	struct tc_incident_edit edit = {.incident_id = INCIDENT, .id = UPDATE, .message = "short"};
	char longer[1000] = {0};
	struct tocsin_error error;
	TC_BUFFER json = {0};

	(void)state;
	assert_ok(tc_incident_edit_update(pool, &edit, &json, &error)); /* the long one is kept */
	assert_ok(say(14000, NULL, &error));
	edit.id = "018bcfe5-6800-7000-8001-000000000103";
	memset(longer, 'm', sizeof(longer) - 1);
	edit.message = longer;
	assert_int_equal(tc_incident_edit_update(pool, &edit, &json, &error), TOCSIN_E_EXISTS);
	assert_non_null(strstr(error.message, "timeline"));
	assert_number("select count(*) from incident_updates where edit_history <> '[]'", 1);
	edit.id = UPDATE;
	edit.message = "short";
	assert_ok(tc_incident_edit_update(pool, &edit, &json, &error)); /* nothing changes */
}

static void test_an_answer_ends(void **state)
{
	TC_FREE char *one = NULL, *all = NULL;
	struct tocsin_error error;
	TC_BUFFER shown = {0};
	TC_BUFFER too_long = {0};

	(void)state;
	free(tc_test_sql(
		"insert into incidents (id, title, severity) select gen_random_uuid(), 't', "
		"'minor' from generate_series(1, 9)"));
	free(tc_test_sql(
		"insert into incident_updates (incident_id, id, message) select i.id, u.id, "
		"u.message from incidents i, incident_updates u where i.id <> '" INCIDENT "'"));
	all = tc_test_sql("select array_agg(id) from incidents where id <> '" INCIDENT "'");
	one = tc_test_sql("select array_agg(id) from incidents where id = '" INCIDENT "'");
	assert_int_equal(tc_incident_list_updates(pool, all, TC_INCIDENT_PUBLIC, &too_long, &error),
			 TOCSIN_E_INVALID);
	assert_string_equal(error.message,
			    "The answer would have more than 64 MiB: ask for less at once");
	assert_ok(tc_incident_list_updates(pool, one, TC_INCIDENT_PUBLIC, &shown, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_timeline_ends, fill),
		cmocka_unit_test_setup(test_an_edit_history_ends_with_it, fill),
		cmocka_unit_test_setup(test_an_answer_ends, fill),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
