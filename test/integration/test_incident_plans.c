/* test/integration/test_incident_plans.c: how the statements of incidents are run at volume: 100,000 incidents of
 * which 1,000 are open, plans that fit any parameters, every statement there is.
 *
 * Why not more. The shape of a plan is looked at, and what it reads and throws away, not how long it takes. One in a
 * hundred is open, as of a million with 10,000 open, which is the share that the planner goes by. A table has
 * more than a thousand pages here, and an index finds a row in a few: already no plan that is cheaper for reading all of
 * it, and less so with ten times as much. And a walk past what is resolved throws thousands of rows away, where
 * TC_PLAN_REMOVED_MAX allows 400. bench/scale.py measures times, at 1,000,000 with 10,000 open.
 *
 * How it was seen to fail: without index incidents_open, list_by_system throws away what is resolved; with an index of
 * systems that does not know is_open, so does has_suppression, and without any it reads all incidents; without
 * a row here, the statement is named. */
#include "base/macro.h"
#include "sql_app.h"
#include "support/plans.h"

/* One of the incidents; it is open. Its update, its link, and an id that nothing has. */
#define INCIDENT "'018bcfe5-6fd1-7000-8000-000000002001'"
#define UPDATE   "'018bcfe5-6fd1-7000-8001-000000002001'"
#define LINK     "'018bcfe5-6fd1-7000-8002-000000002001'"
#define NEW      "'018bcfe5-6fd1-7000-8003-000000000001'"

static const struct tc_plan plans[] = {
	{&tc_sql_incident_add_link,
	 "(" INCIDENT ", " NEW ", 'http://new', null, 'public', 100, null)"},
	{&tc_sql_incident_add_update,
	 "(" INCIDENT ", " NEW ", 'm', 'resolved', 'public', null, null, 1000000)"},
	{&tc_sql_incident_delete, "(" INCIDENT ", null)"},
	{&tc_sql_incident_delete_update, "(" INCIDENT ", " UPDATE ", null)"},
	{&tc_sql_incident_edit_update,
	 "(" INCIDENT ", " UPDATE ", 'new', 'fixing', true, null, null, 100, null, 1000000)"},
	{&tc_sql_incident_get, "(" INCIDENT ", 'internal')"},
	{&tc_sql_incident_get_document, "(" INCIDENT ")"},
	{&tc_sql_incident_get_link, "(" INCIDENT ", " LINK ")"},
	{&tc_sql_incident_get_states, "(array[" INCIDENT ", " NEW "]::uuid[])"},
	{&tc_sql_incident_get_update, "(" INCIDENT ", " UPDATE ")"},
	{&tc_sql_incident_has_suppression, "('s5')"},
	{&tc_sql_incident_list_all, "(51, null, null)"},
	{&tc_sql_incident_list_all, "(51, " INCIDENT ", 'resolved')"},
	{&tc_sql_incident_list_by_system, "(10000)"},
	{&tc_sql_incident_list_health_overrides, "('{s5,s6,nobody}')"},
	{&tc_sql_incident_list_of_systems, "('{s5,s6,nobody}', 100)"},
	{&tc_sql_incident_list_open, "(51, null, null)"},
	{&tc_sql_incident_list_open, "(51, " INCIDENT ", 'fixing')"},
	{&tc_sql_incident_list_refs, "(array[" INCIDENT ", " NEW "]::uuid[])"},
	{&tc_sql_incident_list_system_all, "(51, null, null, 's5')"},
	{&tc_sql_incident_list_system_all, "(51, " INCIDENT ", 'resolved', 's5')"},
	{&tc_sql_incident_list_system_open, "(51, null, null, 's5')"},
	{&tc_sql_incident_list_system_open, "(51, " INCIDENT ", 'fixing', 's5')"},
	{&tc_sql_incident_list_updates, "(array[" INCIDENT ", " NEW "]::uuid[], 'internal', 100)"},
	{&tc_sql_incident_lock, "(" INCIDENT ")"},
	{&tc_sql_incident_lock_none, ""},
	{&tc_sql_incident_open_batch,
	 "(array[" NEW
	 "]::uuid[], '{t}', '{NULL}', '{minor}', '{f}', '{NULL}', '{\"{s5}\"}', '{s5}', "
	 "'{NULL}', '{NULL}', '{NULL}', '{NULL}', false)"},
	{&tc_sql_incident_remove_link, "(" INCIDENT ", " LINK ", null)"},
	{&tc_sql_incident_resolve, "(" INCIDENT ", " NEW ", null, null, null)"},
	{&tc_sql_incident_set_lock_timeout, "('1000')"},
	{&tc_sql_incident_try_keys, "('{a,b}')"},
	{&tc_sql_incident_update,
	 "(" INCIDENT ", 'new', null, true, 'critical', true, 'unhealthy', true, "
	 "'{s7,s9,new}', true, null)"},
	{&tc_sql_incident_update_link,
	 "(" INCIDENT ", " LINK ", 'http://new', null, true, 'internal', null)"},
	{&tc_sql_incident_wait_key, "('a')"},
};

static const struct tc_plan_room rooms[] = {
	{"incident", "modules/incident", plans, TC_ARRAY_LENGTH(plans)},
};

static const char *const data[] = {
	"insert into systems select 's' || g, 's' || g, true from generate_series(0, 999) g",
	"create function id_of(g int, kind text) returns uuid language sql as $$ select "
	"(lpad(to_hex(1700000000000 + g), 12, '0') || '7000800' || kind || lpad(g::text, 12, "
	"'0'))::uuid $$",
	"create temporary table n as select g, id_of(g, '0') as id from generate_series(1, "
	"100000) g",
	"insert into incidents (id, title, status, severity, resolved_at) select id, 't', "
	"(case when g % 1000 < 10 then 'fixing' else 'resolved' end)::incident_status, "
	"'minor', case when g % 1000 >= 10 then now() end from n",
	"insert into incident_systems select id, 's' || g % 10, g % 1000 < 10, 1 from n",
	"insert into incident_updates (incident_id, id, message, status_change) select id, "
	"id_of(g, '1'), 'm', 'fixing' from n",
	"insert into incident_links (incident_id, id, url) select id, id_of(g, '2'), "
	"'http://' || g from n",
	TC_PLAN_STATISTICS,
};

int main(int count, char **arguments)
{
	const struct tc_plan_program program = {
		.rooms = rooms,
		.rooms_count = TC_ARRAY_LENGTH(rooms),
		.data = data,
		.data_count = TC_ARRAY_LENGTH(data),
		.scan = "select count(*) from incidents where title = 'x'",
		.walk = "select from incidents where title = 'x' order by id",
	};

	return tc_plans_main(count, arguments, &program);
}
