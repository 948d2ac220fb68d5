/* test/integration/test_alert_end.c: how the rows of alerts end: with their incident, and some time after they were
 * reported resolved; and which incidents end with them.
 *
 * How each was seen to fail: with the foreign key of 0005_alert.sql the alerts of a deleted incident stay; with a
 * remove_resolved.sql that does not skip what is locked it waits for the reporter until a query's time is over; one
 * that goes by dedup keys instead of times leaves older alerts; with a resolve_incidents.sql that asks for `status <>
 * 'resolved'` an incident that was reopened meanwhile is resolved, by a batch that does not hold it. */
#include "base/memory.h"
#include "modules/incident/incident.h"
#include "pg/query.h"
#include "sql_app.h"
#include "support/crew.h"
#include "support/outside.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DELETED "00000000-0000-7000-8000-000000000001" /* an incident */
#define UPDATES "{00000000-0000-7000-8001-000000000001}"
#define DAY_S   "86400"

TC_DEFINE_CLEANUP(PGconn *, PQfinish);

static struct tocsin_pool *work_pool;

static int set_up(void **state)
{
	return tc_test_work_setup(state, 1, &work_pool);
}

static int tear_down(void **state)
{
	return tc_test_work_teardown(state, &work_pool);
}

static int clean(void **state)
{
	(void)state;
	return tc_test_clean("incidents, alerts");
}

#define REMAINING "select string_agg(dedup_key, ' ' order by dedup_key) from alerts"

static void test_an_alert_goes_with_its_incident(void **state)
{
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql(
		"insert into incidents (id, title, severity) values ('" DELETED
		"', 'deleted', 'minor'), (gen_random_uuid(), 'stays', 'minor');"
		"insert into alerts (source, dedup_key, state, system_id, incident_id, severity,"
		" title, resolved_at) select 's', left(title, 1) || state, state, 'db', id,"
		" 'minor', 't', case when state = 'resolved' then now() end"
		" from incidents, unnest(enum_range(null::alert_state)) state;"
		"insert into alerts (source, dedup_key, state, system_id, severity, title)"
		" values ('s', 'of none', 'firing', 'db', 'minor', 't')"));
	assert_ok(tc_incident_delete(work_pool, DELETED, NULL, &error));
	assert_text(REMAINING, "of none sfiring sresolved");
}

static unsigned remove_resolved(const char *most)
{
	struct tocsin_connection *connection = NULL;
	TC_RESULT *rows = NULL;
	struct tocsin_error error;

	assert_ok(tocsin_pool_acquire(work_pool, &connection, &error));
	assert_ok(tc_query(connection, &tc_sql_alert_remove_resolved, (const char *[]){DAY_S, most},
			   &rows, &error));
	tocsin_pool_release(connection);
	return (unsigned)tc_result_get_integer(rows, 0, 0);
}

/* Those of longest ago first, so many at once, without waiting for one that is being reported. */
static void test_resolved_alerts_are_removed(void **state)
{
	TC_CLEANUP(PQfinish) PGconn *reporter = NULL;

	(void)state;
	free(tc_test_sql("insert into alerts (source, dedup_key, state, system_id, severity, title,"
			 " resolved_at) select 's', 'old' || i, 'resolved', 'db', 'minor', 't',"
			 " now() - interval '2 days' - i * interval '1 second'"
			 " from generate_series(1, 4) i;"
			 "insert into alerts (source, dedup_key, state, system_id, severity, title,"
			 " resolved_at, last_seen) values ('s', 'young', 'resolved', 'db', 'minor',"
			 " 't', now(), now()), ('s', 'firing', 'firing', 'db', 'minor', 't', null,"
			 " now() - interval '9 days')"));
	reporter = tc_outside_hold(tc_test_conninfo(),
				   "begin; select from alerts where dedup_key = 'old3' for update");
	assert_int_equal(remove_resolved("2"), 2);
	assert_text(REMAINING, "firing old1 old3 young");
	assert_int_equal(remove_resolved("2"), 1);
	assert_int_equal(remove_resolved("2"), 0);
	tc_outside_run(reporter, "commit");
	assert_int_equal(remove_resolved("2"), 1);
	assert_text(REMAINING, "firing young");
}

/* Incidents of the alert that a batch resolves, from its second round trip. */
static unsigned resolve_incidents(struct tocsin_connection *connection)
{
	static const char *const reports[] = {"{s}", "{k}", UPDATES, "{NULL}", "{NULL}"};
	struct tocsin_error error;
	TC_RESULT *rows = NULL;

	assert_ok(tc_query(connection, &tc_sql_alert_resolve_incidents, reports, &rows, &error));
	return (unsigned)PQntuples(rows);
}

/* A person reopens it between the two. Held from the beginning, it is resolved. */
static void test_an_incident_reopened_meanwhile_stays_open(void **state)
{
	static const char *const alerts[] = {"{s}", "{k}", "{db}", "{1}"};
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql(
		"insert into incidents (id, title, severity, status, resolved_at) values"
		" ('" DELETED "', 't', 'minor', 'resolved', now());"
		"insert into alert_incidents values ('" DELETED "');"
		"insert into alerts (source, dedup_key, state, system_id, incident_id, severity,"
		" title, resolved_at) values ('s', 'k', 'resolved', 'db', '" DELETED
		"', 'minor', 't', now())"));
	assert_ok(tocsin_pool_acquire(work_pool, &connection, &error));
	for (unsigned held = 0; held < 2; held++) {
		PGconn *session = tocsin_connection_pg(connection);

		tc_outside_run(session, "begin; select set_config('tocsin.locked', '{t}', true)");
		assert_ok(tc_query(connection, &tc_sql_alert_lock_incidents, alerts, NULL, &error));
		if (!held)
			free(tc_test_sql(
				"update incidents set status = 'fixing', resolved_at = null"));
		assert_int_equal(resolve_incidents(connection), held);
		tc_outside_run(session, "commit");
	}
	tocsin_pool_release(connection);
	assert_number("select count(*) from incidents where status = 'resolved'", 1);
	assert_number("select count(*) from events where kind = 'incident.resolved'", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_alert_goes_with_its_incident, clean),
		cmocka_unit_test_setup(test_resolved_alerts_are_removed, clean),
		cmocka_unit_test_setup(test_an_incident_reopened_meanwhile_stays_open, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
