/* test/integration/test_catalog.c: deleting a system under everything that goes on about it, and names that
 * many want at once.
 *
 * How each was seen to fail: with lock_rest.sql waiting instead of skipping, a deletion and a change of an
 * incident wait for each other, and the server ends one of them; without blame_deletion a create
 * that names a system being deleted fails with a foreign key's error; without the key a deletion
 * does not wait for a create; without the second question in catalog_change.c the losers of a name are told
 * no field; with an index that regards case several of them win. */
#include "base/memory.h"
#include "modules/catalog/catalog.h"
#include "modules/incident/incident.h"
#include "pg/query.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOCK_KEY    "incident.dedupe-open-for-system:"
#define INCIDENT(n) "00000000-0000-7000-8000-00000000000" #n

TC_DEFINE_CLEANUP(PGconn *, PQfinish);

static struct tocsin_pool *work_pool, *lock_pool;
static struct tocsin_locks *locks;

static int make_pool(struct tocsin_pool **ret_pool, const char *name,
		     enum tocsin_pool_purpose purpose, struct tocsin_error *error)
{
	const struct tocsin_pool_options options = {.name = name,
						    .conninfo = tc_test_conninfo(),
						    .purpose = purpose,
						    .max = 8,
						    .connection_timeout_ms = TC_PATIENCE_MS,
						    .idle_timeout_ms = TC_PATIENCE_MS};

	return tocsin_pool_new(ret_pool, &options, error);
}

static int set_up(void **state)
{
	struct tocsin_locks_options options = {.wait_timeout_ms = TC_PATIENCE_MS};
	struct tocsin_error error;

	if (tc_test_schema_setup(state))
		return -1;
	if (make_pool(&work_pool, "work", TOCSIN_POOL_WORK, &error) ||
	    make_pool(&lock_pool, "lock", TOCSIN_POOL_LOCK, &error))
		goto failed;
	options.work_pool = work_pool;
	options.lock_pool = lock_pool;
	if (tocsin_locks_new(&locks, &options, &error))
		goto failed;
	return 0;
failed:
	print_error("%s\n", error.message);
	return -1;
}

static int tear_down(void **state)
{
	locks = tocsin_locks_free(locks);
	lock_pool = tocsin_pool_free(lock_pool);
	work_pool = tocsin_pool_free(work_pool);
	return tc_test_postgres_teardown(state);
}

static int clean(void **state)
{
	(void)state;
	free(tc_test_sql("set client_min_messages = warning;"
			 "truncate systems, catalog_groups, incidents, events cascade"));
	return 0;
}

static void assert_text(const char *sql, const char *expected)
{
	TC_FREE char *text = tc_test_sql(sql);

	if (!text || strcmp(text, expected) != 0)
		fail_msg("%s: %s, not %s", sql, text ? text : "null", expected);
}

static void assert_number(const char *sql, long expected)
{
	long found = tc_test_sql_number(sql);

	if (found != expected)
		fail_msg("%s: %ld, not %ld", sql, found, expected);
}

/* A session beside the pools. */
static PGconn *outside(const char *sql)
{
	PGconn *pg = PQconnectdb(tc_test_conninfo());
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
	return pg;
}

static void also(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
}

/* Whether a session waits for a lock of this kind. */
static bool is_waiting(void *kind)
{
	TC_FREE char *sql = NULL;

	if (asprintf(&sql,
		     "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
		     "wait_event = '%s'",
		     (const char *)kind) < 0)
		return false;
	return tc_test_sql_number(sql) > 0;
}

/* Whether a session waits for this one. */
static bool is_blocking(void *pg)
{
	TC_FREE char *sql = NULL;

	if (asprintf(&sql,
		     "select count(*) from pg_stat_activity where %d = any (pg_blocking_pids(pid))",
		     PQbackendPID(pg)) < 0)
		return false;
	return tc_test_sql_number(sql) > 0;
}

static int delete_db(void *argument, unsigned index, struct tocsin_error *error)
{
	(void)argument;
	(void)index;
	return tc_catalog_delete_system(locks, "db", "key:1", error);
}

static void start_deletion(struct tc_crew *crew, const char *waits_for)
{
	tc_crew_init(crew);
	tc_crew_start(crew, 1, delete_db, NULL);
	assert_true(tc_wait_until(is_waiting, (void *)(uintptr_t)waits_for));
}

/* --- deleting --- */

#define THREE_INCIDENTS                                                                            \
	"insert into systems (id, name) values ('db', 'Database'), ('web', 'Web');"                \
	"insert into incidents (id, title, severity, status, resolved_at) values"                  \
	" ('" INCIDENT(                                                                            \
		1) "', 'open', 'minor', 'fixing', null),"                                          \
		   " ('" INCIDENT(                                                                 \
			   2) "', 'resolved', 'major', 'resolved', now()),"                        \
			      " ('" INCIDENT(                                                      \
				      3) "', 'of another', 'major', 'investigating', null);"       \
					 "insert into incident_systems values ('" INCIDENT(        \
						 1) "', 'db', true, 1),"                           \
						    " ('" INCIDENT(2) "', 'web', false, 1), "      \
								      "('" INCIDENT(               \
									      2) "', 'db', "       \
										 "false, 2),"      \
										 " ('" INCIDENT(   \
											 3) "', "  \
											    "'web" \
											    "', "  \
											    "true" \
											    ", "   \
											    "1);"  \
											    "upda" \
											    "te "  \
											    "inci" \
											    "dent" \
											    "s "   \
											    "set " \
											    "upda" \
											    "ted_" \
											    "at "  \
											    "= "   \
											    "'200" \
											    "0-"   \
											    "01-"  \
											    "01'"

static void test_tells_each_change_once(void **state)
{
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql(THREE_INCIDENTS));
	assert_ok(tc_catalog_delete_system(locks, "db", "key:1", &error));
	assert_text(
		"select string_agg(concat_ws(' ', subject, action, systems, previous->>'status',"
		" previous->>'systemIds', next->>'systemIds', actor), E'\\n' order by subject)"
		" from events where kind = 'incident.updated'",
		INCIDENT(1) " updated {} fixing [\"db\"] [] key:1\n" INCIDENT(
			2) " updated {web} resolved [\"web\", \"db\"] [\"web\"] key:1");
	assert_text(
		"select concat_ws(' ', subject, action, systems, previous->>'name', next, actor)"
		" from events where kind = 'catalog.system.deleted'",
		"db deleted {db} Database key:1");
	assert_number("select count(*) from events", 3);
	assert_number("select count(distinct transaction) from events", 1);
	/* The incidents stay, one with no system. */
	assert_number("select count(*) from incidents", 3);
	assert_number("select count(*) from incident_systems where system_id = 'web'", 2);
	assert_number("select count(*) from incident_systems where system_id = 'db'", 0);
	assert_text("select string_agg(title, ',' order by id) from incidents where updated_at > "
		    "'2000-01-01'",
		    "open,resolved");

	assert_code(tc_catalog_delete_system(locks, "db", "key:1", &error), TOCSIN_E_NOT_FOUND);
	assert_number("select count(*) from events", 3);
}

static void test_takes_all_that_belongs_to_it(void **state)
{
	struct tocsin_error error;

	(void)state;
	free(tc_test_sql(
		"insert into systems (id, name) values ('db', 'Database');"
		"insert into catalog_groups (id, name) values ('" INCIDENT(
			1) "', 'g');"
			   "insert into catalog_members values ('db', '" INCIDENT(
				   1) "');"
				      "insert into system_contacts values ('db', '" INCIDENT(
					      1) "', 'person', 'Ada');"
						 "insert into system_links values ('db', "
						 "'" INCIDENT(1) "', 'http://x')"));
	assert_ok(tc_catalog_delete_system(locks, "db", NULL, &error));
	assert_number("select (select count(*) from catalog_members) + (select count(*) from "
		      "system_contacts)"
		      " + (select count(*) from system_links)",
		      0);
	assert_number("select count(*) from catalog_groups", 1);
}

/* Who opens an incident of the system holds its key: a deletion waits for it, and then sees the incident. */
static void test_waits_for_the_key(void **state)
{
	TC_CLEANUP(PQfinish)
	PGconn *creator = outside("begin; select pg_advisory_xact_lock(hashtextextended('" LOCK_KEY
				  "db', 0))");
	struct tc_crew crew;

	(void)state;
	free(tc_test_sql("insert into systems (id, name) values ('db', 'db')"));
	start_deletion(&crew, "advisory");
	also(creator, "insert into incidents (id, title, severity) values ('" INCIDENT(
			      1) "', 'x', 'minor');"
				 "insert into incident_systems values ('" INCIDENT(
					 1) "', 'db', true, 1); commit");
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_number("select count(*) from incident_systems", 0);
	assert_number("select count(*) from events where kind = 'incident.updated'", 1);
}

/* An incident comes to the system between the steps of a deletion, and is held by somebody who then wants the
 * system's row: the deletion lets go, and waits before it has the row. */
static void test_starts_again_rather_than_wait_in_a_circle(void **state)
{
	TC_CLEANUP(PQfinish) PGconn *adder = NULL;
	TC_CLEANUP(PQfinish) PGconn *changer = NULL;
	struct tc_crew crew;

	(void)state;
	free(tc_test_sql("insert into systems (id, name) values ('db', 'db');"
			 "insert into incidents (id, title, severity) values ('" INCIDENT(
				 1) "', 'x', 'minor')"));
	changer = outside(
		"set deadlock_timeout = '10ms'; begin; select from incidents for no key update");
	adder = outside(
		"begin; insert into incident_systems values ('" INCIDENT(1) "', 'db', true, 1)");
	start_deletion(&crew, "transactionid"); /* for the system's row */
	also(adder, "commit");
	assert_true(tc_wait_until(is_blocking, changer));
	also(changer, "select from systems where id = 'db' for key share; commit");
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_number("select count(*) from incident_systems", 0);
	assert_number("select count(*) from systems", 0);
	assert_number("select count(*) from events where kind = 'incident.updated'", 1);
}

static int open_about_both(void *argument, unsigned index, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const struct tc_incident_draft draft = {
		.id = id, .title = "x", .severity = "minor", .systems = "{web,db}"};
	TC_BUFFER json = {0};
	bool refused;

	(void)argument;
	(void)index;
	tc_uuid_new(id);
	return tc_incident_open(work_pool, &draft, false, &json, &refused, error);
}

/* A create that found the system just before it was deleted discovers it anew. */
static void test_a_create_discovers_it_anew(void **state)
{
	TC_CLEANUP(PQfinish) PGconn *deleter = NULL;
	struct tc_crew crew;

	(void)state;
	free(tc_test_sql("insert into systems (id, name) values ('db', 'Database')"));
	deleter = outside("begin; select from systems where id = 'db' for update");
	tc_crew_init(&crew);
	tc_crew_start(&crew, 1, open_about_both, NULL);
	assert_true(tc_wait_until(is_waiting, (void *)(uintptr_t) "transactionid"));
	also(deleter, "delete from systems where id = 'db'; commit");
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_number("select count(*) from systems where id = 'db' and discovered", 1);
	assert_text("select string_agg(system_id, ',' order by position) from incident_systems",
		    "web,db");
	assert_number("select count(*) from events", 1);
}

/* --- names --- */

struct race {
	atomic_uint named; /* losers who were told the field */
};

static int register_one(void *argument, unsigned index, struct tocsin_error *error)
{
	static const char *const names[] = {"Database", "DATABASE", "database"};
	const struct tc_catalog_wish wish = {.name = names[index % TC_ARRAY_LENGTH(names)]};
	struct race *race = argument;
	const char *conflict = NULL;
	TC_BUFFER json = {0};
	int result = tc_catalog_create_system(work_pool, &wish, &json, &conflict, error);

	if (result == TOCSIN_E_EXISTS && conflict && strcmp(conflict, "name") == 0)
		race->named++;
	return result;
}

static void test_one_of_many_gets_a_name(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct race race = {0};
		struct tc_crew crew;

		tc_crew_init(&crew);
		tc_crew_start(&crew, 12, register_one, &race);
		tc_crew_join(&crew);
		assert_int_equal(tc_crew_count(&crew, TOCSIN_OK), 1);
		assert_int_equal(race.named, 11);
		tc_crew_deinit(&crew);
		assert_number("select count(*) from systems", 1);
		assert_number("select count(*) from events", 1);
		clean(NULL);
	}
}

/* A page of systems is a walk along an index, however many there are. */
static void test_lists_walk_along_an_index(void **state)
{
	(void)state;
	free(tc_test_sql("insert into systems (id, name, discovered, created_at)"
			 " select 's' || i, 's' || i, true, now() + i * interval '1 second'"
			 " from generate_series(1, 20000) i; analyze systems"));
	free(tc_test_sql(
		"create temp table plan (line text);"
		"do $$ declare l text; begin for l in execute"
		" 'explain select id from systems s where (s.created_at, s.id) < (''infinity'', "
		"'''')"
		" order by s.created_at desc, s.id desc limit 51' loop"
		" if l like '%Seq Scan%' or l like '%Sort%' then raise exception '%', l; end if;"
		" end loop; end $$"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tells_each_change_once, clean),
		cmocka_unit_test_setup(test_takes_all_that_belongs_to_it, clean),
		cmocka_unit_test_setup(test_waits_for_the_key, clean),
		cmocka_unit_test_setup(test_starts_again_rather_than_wait_in_a_circle, clean),
		cmocka_unit_test_setup(test_a_create_discovers_it_anew, clean),
		cmocka_unit_test_setup(test_one_of_many_gets_a_name, clean),
		cmocka_unit_test_setup(test_lists_walk_along_an_index, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
