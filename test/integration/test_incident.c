/* test/integration/test_incident.c: the incident service and its SQL on a real database.
 *
 * How each was seen to fail: without the trigger incident_systems_follow a resolved incident still counts
 * as open; without lock.sql two resolves at once both write an update; without the comparison of ids in
 * open_batch.sql a repeated create is told `reused`; a batch fails with another divisor in tocsin_uuid_time, with a
 * wrong state in incident_opened_state, and without `on conflict do nothing` in open_batch.sql. */
#include "base/memory.h"
#include "base/uuid.h"
#include "core/store.h"
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

static struct tocsin_pool *pool;

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
	return tc_test_clean("systems, incidents, events");
}

/* --- helpers --- */

static char last_id[TC_UUID_SIZE];

/* Opens an incident; the answer as JSON, owned by the caller; its id in last_id. */
static json_t *open_one(const char *systems, bool reject, bool *ret_refused)
{
	struct tc_incident_draft draft = {.id = last_id,
					  .title = "It is \"down\"\n",
					  .severity = "major",
					  .systems = systems,
					  .actor = "key:1",
					  .actor_name = "someone"};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	json_t *answer;

	tc_uuid_new(last_id);
	if (tc_incident_open(pool, &draft, reject, &json, ret_refused, &error))
		fail_msg("%s", error.message);
	answer = json_loads(json.data, 0, NULL);
	assert_non_null(answer);
	return answer;
}

static void open_simple(const char *systems)
{
	bool is_refused = false;

	json_decref(open_one(systems, false, &is_refused));
	assert_false(is_refused);
}

static json_t *get(const char *id, const char *visibility)
{
	const char *const values[] = {id, visibility};
	struct tocsin_error error;
	TC_RESULT *rows = NULL;
	json_t *answer;

	if (tc_store_read(pool, &tc_sql_incident_get, values, &rows, &error))
		fail_msg("%s", error.message);
	assert_int_equal(PQntuples(rows), 1);
	answer = json_loads(PQgetvalue(rows, 0, 0), 0, NULL);
	assert_non_null(answer);
	return answer;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int say(const char *message, const char *status, const char *visibility)
{
	const struct tc_incident_update update = {.incident_id = last_id,
						  .message = message,
						  .status = status,
						  .visibility = visibility,
						  .actor = "key:1",
						  .actor_name = "someone"};
	TC_BUFFER json = {0};

	return tc_incident_add_update(pool, &update, &json, NULL);
}

static int resolve(struct tocsin_error *error)
{
	const struct tc_incident_update update = {.incident_id = last_id};
	TC_BUFFER json = {0};

	return tc_incident_resolve(pool, &update, &json, NULL, error);
}

static void assert_events(const char *expected)
{
	TC_FREE char *events = tc_test_sql("select string_agg(kind || '/' || action, ' ' "
					   "order by transaction, sequence) from events");

	assert_string_equal(events, expected);
}

/* Runs sql/open_batch.sql for one deduped draft, whose key is taken for locked. */
static int open_deduped(struct tocsin_connection *connection, void *userdata,
			struct tocsin_error *error)
{
	struct tc_incident_draft *draft = userdata;
	TC_INCIDENT_COLUMNS_SCOPED columns = {0};
	TC_RESULT *result = NULL;
	int r;

	tc_incident_columns_add(&columns, draft);
	r = tc_incident_columns_finish(&columns, false, error);
	if (!r)
		r = tc_query(connection, &tc_sql_incident_lock_none, NULL, NULL, error);
	if (!r)
		r = tc_query(connection, &tc_sql_incident_open_batch, columns.values, &result,
			     error);
	if (!r)
		draft->message =
			tc_result_is_true(result, 0, TC_INCIDENT_OPEN_REUSED) ? "reused" : "own";
	return r;
}

/* --- tests --- */

static void test_document(void **state)
{
	bool is_refused = false;
	json_t *incident = open_one("{b,a}", false, &is_refused), *shown;

	(void)state;
	shown = get(last_id, TC_INCIDENT_PUBLIC);
	assert_string_equal(text_of(shown, "title"), "It is \"down\"\n");
	assert_string_equal(text_of(shown, "status"), "investigating");
	assert_null(json_object_get(shown, "description"));
	assert_null(json_object_get(shown, "resolvedAt"));
	assert_int_equal(strlen(text_of(shown, "createdAt")), strlen("2026-01-02T03:04:05.678Z"));
	assert_int_equal(json_object_size(json_object_get(shown, "updates")), 0);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(shown, "systemIds"), 0)), "b");
	json_object_del(shown, "updates");
	json_object_del(shown, "links");
	assert_true(json_equal(incident, shown)); /* a create and a read show it the same way */
	assert_number("select count(*) from systems where discovered", 2);
	assert_events("incident.created/created");
	json_decref(incident);
	json_decref(shown);
}

static void test_unknown_systems(void **state)
{
	bool is_refused = false;
	json_t *unknown;

	(void)state;
	open_simple("{known}");
	unknown = open_one("{x,known,y}", true, &is_refused);
	assert_true(is_refused);
	assert_int_equal(json_array_size(unknown), 2);
	assert_string_equal(json_string_value(json_array_get(unknown, 1)), "y");
	json_decref(unknown);
	assert_number("select count(*) from incidents", 1);
	json_decref(open_one("{known}", true, &is_refused));
	assert_false(is_refused);
}

static void test_visibility(void **state)
{
	static const struct {
		const char *visibility;
		size_t updates;
		bool has_history;
	} cases[] = {{TC_INCIDENT_PUBLIC, 1, false},
		     {TC_INCIDENT_LOGGED_IN, 2, false},
		     {TC_INCIDENT_INTERNAL, 3, true}};

	(void)state;
	open_simple("{a}");
	assert_int_equal(say("one", NULL, TC_INCIDENT_PUBLIC), TOCSIN_OK);
	assert_int_equal(say("two", NULL, TC_INCIDENT_LOGGED_IN), TOCSIN_OK);
	assert_int_equal(say("three", NULL, TC_INCIDENT_INTERNAL), TOCSIN_OK);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(cases); i++) {
		json_t *shown = get(last_id, cases[i].visibility);
		const json_t *updates = json_object_get(shown, "updates");
		const json_t *first = json_array_get(updates, 0);

		assert_int_equal(json_array_size(updates), cases[i].updates);
		assert_string_equal(text_of(first, "message"), "one");
		assert_int_equal(json_object_get(first, "editHistory") != NULL,
				 cases[i].has_history);
		json_decref(shown);
	}
}

static void test_life(void **state)
{
	const char *const open_count = "select count(*) from incident_systems where is_open";

	(void)state;
	open_simple("{a,b}");
	assert_int_equal(say("looking", NULL, TC_INCIDENT_PUBLIC), TOCSIN_OK);
	assert_int_equal(say("same", "investigating", TC_INCIDENT_PUBLIC), TOCSIN_OK);
	assert_int_equal(say("found", "identified", TC_INCIDENT_PUBLIC), TOCSIN_OK);
	assert_number(open_count, 2);
	assert_int_equal(resolve(NULL), TOCSIN_OK);
	assert_number(open_count, 0);
	assert_int_equal(resolve(NULL), TOCSIN_OK); /* changes nothing */
	assert_int_equal(say("no", "fixing", TC_INCIDENT_PUBLIC), TOCSIN_OK);
	assert_number(open_count, 2);
	assert_number("select count(*) from incidents where resolved_at is null", 1);
	assert_int_equal(say("done", "resolved", TC_INCIDENT_PUBLIC), TOCSIN_OK);
	assert_int_equal(tc_incident_delete(pool, last_id, "key:1", NULL), TOCSIN_OK);
	assert_int_equal(tc_incident_delete(pool, last_id, "key:1", NULL), TOCSIN_E_NOT_FOUND);
	assert_int_equal(say("gone", NULL, TC_INCIDENT_PUBLIC), TOCSIN_E_NOT_FOUND);
	assert_int_equal(resolve(NULL), TOCSIN_E_NOT_FOUND);
	assert_number("select (select count(*) from incident_updates) + "
		      "(select count(*) from incident_systems)",
		      0);
	assert_events(
		"incident.created/created incident.lifecycle.changed/commented "
		"incident.lifecycle.changed/commented incident.updated/updated "
		"incident.resolved/resolved incident.updated/reopened incident.resolved/resolved "
		"incident.deleted/deleted");
	assert_number("select count(*) from events where systems = '{a,b}'", 8);
}

static int resolve_member(void *argument, unsigned index, struct tocsin_error *error)
{
	(void)argument;
	(void)index;
	return resolve(error);
}

static void test_concurrent_resolves_are_one(void **state)
{
	struct tc_crew crew;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		open_simple("{a}");
		tc_crew_init(&crew);
		tc_crew_start(&crew, 8, resolve_member, NULL);
		tc_crew_finish(&crew, TOCSIN_OK);
	}
	assert_number("select count(*) from incident_updates", 20);
	assert_number("select count(*) from events where kind = 'incident.resolved'", 20);
}

static void test_repeated_create_knows_itself(void **state)
{
	char id[TC_UUID_SIZE], other_id[TC_UUID_SIZE];
	struct tc_incident_draft draft = {
		.id = id, .title = "t", .severity = "minor", .systems = "{a}", .key_system = "a"};

	(void)state;
	tc_uuid_new(id);
	tc_uuid_new(other_id);
	for (unsigned i = 0; i < 2;
	     i++) { /* the second time, as after a commit whose answer was lost */
		assert_int_equal(tocsin_pool_transact(pool, open_deduped, &draft, NULL), TOCSIN_OK);
		assert_string_equal(draft.message, "own");
		draft.message = NULL;
	}
	draft.id = other_id;
	assert_int_equal(tocsin_pool_transact(pool, open_deduped, &draft, NULL), TOCSIN_OK);
	assert_string_equal(draft.message, "reused");
	assert_number("select count(*) from incidents", 1);
	assert_events("incident.created/created");
}

/* Three systems that nobody knows, each named by two of three incidents of one batch. */
static int open_three(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	static const char *const keys = "{1,2,3}";
	static const char *const severities[] = {"minor", "major", "critical"};
	static const char *const systems[] = {"{a,b}", "{c,a}", "{b,c}"};
	char ids[3][TC_UUID_SIZE];
	TC_INCIDENT_COLUMNS_SCOPED columns = {0};
	TC_RESULT *rows = NULL;
	int *opened = userdata, r;

	for (unsigned i = 0; i < 3; i++) {
		tc_uuid_new(ids[i]);
		tc_incident_columns_add(&columns,
					&(struct tc_incident_draft){.id = ids[i],
								    .title = severities[i],
								    .severity = severities[i],
								    .systems = systems[i],
								    .actor = "key:1"});
	}
	r = tc_incident_columns_finish(&columns, false, error);
	if (!r)
		r = tc_query(connection, &tc_sql_incident_try_keys, &keys, NULL, error);
	if (!r)
		r = tc_query(connection, &tc_sql_incident_open_batch, columns.values, &rows, error);
	for (int row = 0; !r && row < PQntuples(rows); row++)
		*opened += !tc_result_is_true(rows, row, TC_INCIDENT_OPEN_REUSED);
	return r;
}

static void test_batch(void **state)
{
	int opened = 0;

	(void)state;
	assert_int_equal(tocsin_pool_transact(pool, open_three, &opened, NULL), TOCSIN_OK);
	assert_int_equal(opened, 3);
	assert_number("select count(*) from systems where discovered and name = id", 3);
	assert_number("select count(*) from incident_systems where is_open", 6);
	assert_number(
		"select count(*) from incidents i join events e on e.subject = i.id::text where "
		"e.next = jsonb_build_object('status', 'investigating', 'severity', i.title)",
		3);
	assert_number("select count(*) from incidents where created_at = updated_at and "
		      "extract(epoch from created_at) * 1000 = "
		      "('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint",
		      3);
}

static void test_pages(void **state)
{
	struct tc_incident_filter filter = {.system = "a", .include_resolved = true, .limit = 4};
	char cursor[TC_UUID_SIZE] = "", last[TC_UUID_SIZE] = "g";
	unsigned seen = 0;
	bool has_more = true;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		open_simple("{a}");
		if (i % 3 == 0)
			assert_int_equal(resolve(NULL), TOCSIN_OK);
	}
	while (has_more) {
		TC_BUFFER json = {0};
		json_t *page, *incident;
		size_t index;

		assert_int_equal(tc_incident_list(pool, &filter, &json, NULL), TOCSIN_OK);
		page = json_loads(json.data, 0, NULL);
		json_array_foreach(json_object_get(page, "incidents"), index, incident)
		{
			assert_true(strcmp(text_of(incident, "id"), last) < 0);
			snprintf(last, sizeof(last), "%s", text_of(incident, "id"));
			seen++;
		}
		has_more = text_of(page, "nextCursor") != NULL;
		snprintf(cursor, sizeof(cursor), "%s", has_more ? text_of(page, "nextCursor") : "");
		filter.cursor = cursor;
		json_decref(page);
	}
	assert_int_equal(seen, 10);
	filter.cursor = "junk";
	assert_int_equal(tc_incident_list(pool, &filter, &(struct tc_buffer){0}, NULL),
			 TOCSIN_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_document, clean),
		cmocka_unit_test_setup(test_unknown_systems, clean),
		cmocka_unit_test_setup(test_visibility, clean),
		cmocka_unit_test_setup(test_life, clean),
		cmocka_unit_test_setup(test_concurrent_resolves_are_one, clean),
		cmocka_unit_test_setup(test_repeated_create_knows_itself, clean),
		cmocka_unit_test_setup(test_batch, clean),
		cmocka_unit_test_setup(test_pages, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
