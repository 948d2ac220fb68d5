/* test/integration/test_incident_timeline.c: edges of changing incidents and their timelines, on a real database:
 * which update decides about the status, what an edit keeps, and what is open while systems are replaced.
 *
 * How each was seen to fail: with created_at of updates the start of the transaction, the newest update of a
 * storm is not the one that set the status; without the id in the order of edit_update.sql or
 * delete_update.sql two updates of the same moment decide by chance; with created_at of incidents from now()
 * a list is not in its order; without the row lock of lock.sql, a replacement that meets a resolve leaves a
 * closed incident open for its new system; with is_open always true in update.sql likewise; without is_edit in
 * edit_update.sql, or without date_trunc there, an edit that changes nothing is archived. */
#include "base/memory.h"
#include "modules/incident/incident.h"
#include "pg/array.h"
#include "pg/query.h"
#include "sql_app.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_SIZE 512

static struct tocsin_pool *pool;
static char incident[TC_UUID_SIZE]; /* the one that was opened last */

static int set_up(void **state)
{
	return tc_test_work_setup(state, 8, &pool);
}

static int tear_down(void **state)
{
	return tc_test_work_teardown(state, &pool);
}

static int clean(void **state)
{
	(void)state;
	return tc_test_clean("systems, incidents, events, alerts");
}

/* --- helpers --- */

static void open_one(const char *systems)
{
	struct tc_incident_draft draft = {
		.id = incident, .title = "t", .severity = "major", .systems = systems};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	bool is_refused = false;

	tc_uuid_new(incident);
	assert_ok(tc_incident_open(pool, &draft, false, &json, &is_refused, &error));
}

/* Adds an update; its id in `ret_id`. Any thread. */
static int say(const char *status, char ret_id[static TC_UUID_SIZE], struct tocsin_error *error)
{
	const struct tc_incident_update update = {.incident_id = incident,
						  .message = "m",
						  .status = status,
						  .visibility = TC_INCIDENT_PUBLIC};
	TC_BUFFER json = {0};
	json_t *answer;
	int r = tc_incident_add_update(pool, &update, &json, error);

	if (r)
		return r;
	answer = json_loads(json.data, 0, NULL);
	snprintf(ret_id, TC_UUID_SIZE, "%s", json_string_value(json_object_get(answer, "id")));
	json_decref(answer);
	return TOCSIN_OK;
}

static int edit(const struct tc_incident_edit *wanted)
{
	TC_BUFFER json = {0};

	return tc_incident_edit_update(pool, wanted, &json, NULL);
}

static int drop_update(const char *id)
{
	return tc_incident_delete_update(pool, incident, id, NULL, NULL);
}

static int replace(const char *systems, struct tocsin_error *error)
{
	const struct tc_incident_wish wish = {.id = incident, .systems = systems};
	TC_BUFFER json = {0};
	bool is_refused = false;

	return tc_incident_update(pool, &wish, &json, &is_refused, error);
}

static int resolve(struct tocsin_error *error)
{
	const struct tc_incident_update update = {.incident_id = incident};

	return tc_incident_resolve(pool, &update, NULL, NULL, error);
}

static void assert_status(const char *expected)
{
	assert_text("select status from incidents", expected);
	assert_number("select count(*) from incidents where (status = 'resolved') <> "
		      "(resolved_at is not null)",
		      0);
	assert_number("select count(*) from incident_systems s join incidents i on i.id = "
		      "s.incident_id where s.is_open <> (i.status <> 'resolved')",
		      0);
}

/* --- which update decides --- */

static void test_of_one_moment_the_later_id_decides(void **state)
{
	char none[TC_UUID_SIZE], one[TC_UUID_SIZE], two[TC_UUID_SIZE], comment[TC_UUID_SIZE];
	struct tc_incident_edit wanted = {
		.incident_id = incident, .id = comment, .created_at = "2020-01-01T00:00:00Z"};

	(void)state;
	open_one("{a}");
	assert_int_equal(say("identified", none, NULL), TOCSIN_OK);
	assert_int_equal(say("fixing", one, NULL), TOCSIN_OK);
	assert_int_equal(say("monitoring", two, NULL), TOCSIN_OK);
	assert_int_equal(say(NULL, comment, NULL), TOCSIN_OK);
	free(tc_test_sql("update incident_updates set created_at = '2026-01-02T03:04:05Z'"));
	assert_int_equal(edit(&wanted), TOCSIN_OK); /* it carries none itself */
	assert_status("monitoring");
	assert_int_equal(drop_update(two), TOCSIN_OK);
	assert_status("fixing");
	wanted = (struct tc_incident_edit){
		.incident_id = incident, .id = one, .status = "resolved", .has_status = true};
	assert_int_equal(edit(&wanted), TOCSIN_OK);
	assert_status("resolved");
	assert_int_equal(drop_update(none), TOCSIN_OK);
	assert_int_equal(drop_update(one), TOCSIN_OK);
	assert_status("resolved"); /* nobody carries one: it stays */
	assert_int_equal(drop_update(one), TOCSIN_E_NOT_FOUND);
}

static void test_an_older_update_decides_nothing(void **state)
{
	char old[TC_UUID_SIZE], newest[TC_UUID_SIZE];
	const struct tc_incident_edit wanted = {
		.incident_id = incident, .id = old, .status = "resolved", .has_status = true};

	(void)state;
	open_one("{a}");
	assert_int_equal(say("identified", old, NULL), TOCSIN_OK);
	assert_int_equal(say("fixing", newest, NULL), TOCSIN_OK);
	assert_int_equal(edit(&wanted), TOCSIN_OK);
	assert_status("fixing");
	assert_int_equal(drop_update(newest), TOCSIN_OK);
	assert_status("resolved");
	assert_text("select string_agg(kind || '/' || action, ' ' order by transaction, sequence) "
		    "from events",
		    "incident.created/created incident.updated/updated incident.updated/updated "
		    "incident.lifecycle.changed/updated incident.resolved/resolved");
}

static int say_member(void *argument, unsigned index, struct tocsin_error *error)
{
	static const char *const statuses[] = {"identified", "fixing", "monitoring", "resolved"};
	char id[TC_UUID_SIZE];

	(void)argument;
	return say(statuses[index % TC_ARRAY_LENGTH(statuses)], id, error);
}

/* Transactions that begin in one order and get the row in another: the time of an update is that of the row. */
static void test_the_newest_of_a_storm_decides(void **state)
{
	struct tc_crew crew;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		open_one("{a}");
		tc_crew_init(&crew);
		tc_crew_start(&crew, 8, say_member, NULL);
		tc_crew_finish(&crew, TOCSIN_OK);
	}
	assert_number("select count(*) from incidents i where status is distinct from "
		      "(select u.status_change from incident_updates u where "
		      "u.incident_id = i.id "
		      "order by u.created_at desc, u.id desc limit 1)",
		      0);
}

/* --- what an edit keeps --- */

static void test_edit_history(void **state)
{
	static const char history[] =
		"select string_agg(concat_ws('/', v->>'message', v->>'statusChange', "
		"v->>'visibility', "
		"v->>'createdAt', case when v ? 'editedAt' then 'edited' end), ' ' order by n) "
		"from "
		"incident_updates, jsonb_array_elements(edit_history) with ordinality as h (v, n)";
	char id[TC_UUID_SIZE];
	struct tc_incident_edit wanted = {.incident_id = incident, .id = id, .message = "two"};

	(void)state;
	open_one("{a}");
	assert_int_equal(say("fixing", id, NULL), TOCSIN_OK);
	free(tc_test_sql("update incident_updates set created_at = '2026-01-02T03:04:05.678901Z'"));
	assert_int_equal(edit(&wanted), TOCSIN_OK);
	assert_int_equal(edit(&wanted), TOCSIN_OK); /* the same again: no edit */
	assert_text(history, "m/fixing/public/2026-01-02T03:04:05.678Z");
	/* The time as it is shown is the time it has, also below the millisecond. */
	wanted.created_at = "2026-01-02T03:04:05.678Z";
	assert_int_equal(edit(&wanted), TOCSIN_OK);
	assert_number("select jsonb_array_length(edit_history) from incident_updates "
		      "where created_at = '2026-01-02T03:04:05.678901Z'",
		      1);
	wanted.message = "m";
	wanted.visibility = TC_INCIDENT_INTERNAL;
	assert_int_equal(edit(&wanted), TOCSIN_OK);
	assert_text(history, "m/fixing/public/2026-01-02T03:04:05.678Z "
			     "two/fixing/public/2026-01-02T03:04:05.678Z/edited");
	assert_number("select count(*) from events", 4);
	wanted.incident_id = "018bcfe5-6800-7000-8000-000000000000";
	assert_int_equal(edit(&wanted), TOCSIN_E_NOT_FOUND);
}

/* --- systems --- */

static void test_replacing_keeps_what_stays(void **state)
{
	(void)state;
	open_one("{a,b}");
	assert_int_equal(replace("{b,c}", NULL), TOCSIN_OK);
	assert_text(
		"select string_agg(system_id || position || is_open, ' ' order by position) from "
		"incident_systems",
		"b1true c2true");
	assert_int_equal(replace("{b,c}", NULL), TOCSIN_OK);
	assert_number("select count(*) from events", 2);
	assert_int_equal(resolve(NULL), TOCSIN_OK);
	assert_int_equal(replace("{d,b}", NULL), TOCSIN_OK);
	assert_status("resolved");
	assert_text("select string_agg(system_id || is_open, ' ' order by position) from "
		    "incident_systems",
		    "dfalse bfalse");
}

static int resolve_or_replace(void *argument, unsigned index, struct tocsin_error *error)
{
	(void)argument;
	if (index == 0)
		return resolve(error);
	return replace(index % 2 ? "{x,y}" : "{y,z}", error);
}

static void test_replacing_while_it_resolves(void **state)
{
	struct tc_crew crew;

	(void)state;
	for (unsigned round = 0; round < 30; round++) {
		open_one("{a}");
		tc_crew_init(&crew);
		tc_crew_start(&crew, 5, resolve_or_replace, NULL);
		tc_crew_finish(&crew, TOCSIN_OK);
	}
	assert_number("select count(*) from incident_systems where is_open", 0);
	assert_number("select count(*) from incident_systems", 60);
}

/* Deduped creates for a system that other incidents get and lose meanwhile: at the end, and at each answer,
 * there is an open incident of it. */
struct storm {
	char ids[4][TC_UUID_SIZE];
};

static int open_deduped(struct tocsin_connection *connection, void *userdata,
			struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const key = "incident.dedupe-open-for-system:hot";
	const struct tc_incident_draft draft = {.id = id,
						.title = "t",
						.severity = "minor",
						.systems = "{hot}",
						.key_system = "hot"};
	TC_INCIDENT_COLUMNS_SCOPED columns = {0};
	int r;

	(void)userdata;
	tc_uuid_new(id);
	tc_incident_columns_add(&columns, &draft);
	r = tc_incident_columns_finish(&columns, false, error);
	if (!r)
		r = tc_query(connection, &tc_sql_incident_wait_key, &key, NULL, error);
	return r ? r
		 : tc_query(connection, &tc_sql_incident_open_batch, columns.values, NULL, error);
}

static int create_or_replace(void *argument, unsigned index, struct tocsin_error *error)
{
	const struct storm *storm = argument;
	struct tc_incident_wish wish = {.systems = "{hot,other}"};
	TC_BUFFER json = {0};
	bool is_refused = false;

	if (index >= TC_ARRAY_LENGTH(storm->ids))
		return tocsin_pool_transact(pool, open_deduped, NULL, error);
	wish.id = storm->ids[index];
	return tc_incident_update(pool, &wish, &json, &is_refused, error);
}

static void test_replacing_in_a_storm_of_creates(void **state)
{
	struct storm storm;
	struct tc_crew crew;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		clean(NULL);
		for (size_t i = 0; i < TC_ARRAY_LENGTH(storm.ids); i++) {
			open_one("{other}");
			memcpy(storm.ids[i], incident, TC_UUID_SIZE);
		}
		tc_crew_init(&crew);
		tc_crew_start(&crew, 8, create_or_replace, &storm);
		tc_crew_finish(&crew, TOCSIN_OK);
		/* The creates among themselves opened one at most: none, if a replacement was first. */
		assert_in_range(
			tc_test_sql_number("select count(*) from incidents where title = 't' and "
					   "severity = 'minor'"),
			0, 1);
		assert_true(
			tc_test_sql_number("select count(*) from incident_systems where system_id "
					   "= 'hot' and is_open") >= 4);
		assert_int_equal(tocsin_pool_transact(pool, open_deduped, NULL, NULL), TOCSIN_OK);
		assert_in_range(tc_test_sql_number(
					"select count(*) from incidents where severity = 'minor'"),
				0, 1);
	}
}

static int record_firing(struct tocsin_connection *connection, void *userdata,
			 struct tocsin_error *error)
{
	const char *opened = userdata;
	const char *const values[] = {"{test}",   "{key}",    "{x}", "{minor}", "{t}",
				      "{\"{}\"}", "{\"{}\"}", "{t}", opened};

	return tc_query(connection, &tc_sql_alert_record_firing, values, NULL, error);
}

/* Between opening an incident for an alert and writing the alert, an older incident gets its system: seen to
 * fail (the alert is with the older one, and what it opened is nobody's) without the first key of the order. */
static void test_an_alert_stays_with_what_its_batch_opened(void **state)
{
	char opened[TC_UUID_SIZE + 2], older[TC_UUID_SIZE];

	(void)state;
	open_one("{other}");
	memcpy(older, incident, sizeof(older));
	open_one("{x}");
	snprintf(opened, sizeof(opened), "{%s}", incident);
	memcpy(incident, older, sizeof(older));
	assert_int_equal(replace("{x}", NULL), TOCSIN_OK);
	assert_int_equal(tocsin_pool_transact(pool, record_firing, opened, NULL), TOCSIN_OK);
	assert_number("select count(*) from alerts a, alert_incidents o where "
		      "a.incident_id = o.incident_id",
		      1);
	opened[1] = opened[1] == '0' ? '1' : '0'; /* an id that nothing has: the oldest */
	assert_int_equal(tocsin_pool_transact(pool, record_firing, opened, NULL), TOCSIN_OK);
	assert_number("select count(*) from alerts a where incident_id = "
		      "(select min(id::text)::uuid from incidents)",
		      1);
}

/* --- lists --- */

static int open_member(void *argument, unsigned index, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const struct tc_incident_draft draft = {
		.id = id, .title = "t", .severity = "major", .systems = "{a}"};
	TC_BUFFER json = {0};
	bool is_refused = false;

	(void)argument;
	(void)index;
	tc_uuid_new(id);
	return tc_incident_open(pool, &draft, false, &json, &is_refused, error);
}

/* The first waits for long between the moment that made its id and its transaction. */
static void test_lists_are_in_the_order_of_created_at(void **state)
{
	char late[TC_UUID_SIZE];
	struct tc_incident_draft draft = {
		.id = late, .title = "late", .severity = "major", .systems = "{a}"};
	struct tocsin_error error;
	struct tc_crew crew;
	TC_BUFFER json = {0};
	bool is_refused = false;

	(void)state;
	tc_uuid_new(late);
	for (unsigned round = 0; round < 5; round++) {
		tc_crew_init(&crew);
		tc_crew_start(&crew, 8, open_member, NULL);
		tc_crew_finish(&crew, TOCSIN_OK);
	}
	assert_ok(tc_incident_open(pool, &draft, false, &json, &is_refused, &error));
	assert_number("select count(*) from (select created_at, "
		      "lag(created_at) over (order by id) as "
		      "before from incidents) l where created_at < before",
		      0);
	assert_text("select title from incidents order by created_at, id limit 1", "late");
	assert_number("select count(*) from incidents where created_at not between now() "
		      "- interval '5 minutes' and now()",
		      0);
	/* What the create says is what a read says. */
	assert_text("select count(*) from incidents where updated_at <> created_at", "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_of_one_moment_the_later_id_decides, clean),
		cmocka_unit_test_setup(test_an_older_update_decides_nothing, clean),
		cmocka_unit_test_setup(test_the_newest_of_a_storm_decides, clean),
		cmocka_unit_test_setup(test_edit_history, clean),
		cmocka_unit_test_setup(test_replacing_keeps_what_stays, clean),
		cmocka_unit_test_setup(test_replacing_while_it_resolves, clean),
		cmocka_unit_test_setup(test_replacing_in_a_storm_of_creates, clean),
		cmocka_unit_test_setup(test_an_alert_stays_with_what_its_batch_opened, clean),
		cmocka_unit_test_setup(test_lists_are_in_the_order_of_created_at, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
