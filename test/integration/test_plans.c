/* test/integration/test_plans.c: how the statements of catalog, alerts, access, audit trail and outbox are run at
 * volume: 50,000 of everything, and a few of what is asked for. See test/support/plans.h; incidents have a program of
 * their own (test_incident_plans.c).
 *
 * Not looked at is what reads everything because it must: see each row without arguments.
 *
 * How it was seen to fail: with one statement for any list of systems, whose filters were `$4 is null or ...`, it
 * walked past all registered systems for the discovered ones; with the same words for "after the cursor", the lists of
 * keys, users, sources and the audit trail read all pages before; with joins of what is to be removed, the removals of
 * events, entries and answers read all there are. Without index catalog_members_group, the count of a group's systems
 * does, in a function that no plan shows; with systems_newest by time only, the list of systems walks too far. */
#include "base/macro.h"
#include "sql_app.h"
#include "support/plans.h"

/* Ids of the thing of that number, and of one that is not there. */
#define GROUP(number) "id_of(" #number ", 'group')"
#define THING(number) "id_of(" #number ", 'thing')"
#define NEW           "id_of(0, 'new')"
#define HASH(number)  "sha256('" #number "')"
/* A batch of one alert: the 5005th, which is about system s5005 and has joined incident 5005. */
#define ALERT  "'{alertmanager}', '{k5005}'"
#define SYSTEM "'{s5005}', '{1}'"
/* Before the newest hundred events. */
#define UNREAD "'52', 49900"

static const struct tc_plan catalog[] = {
	{&tc_sql_catalog_add_contact, "('s5', 'phone', '110', 100, " NEW ", null, null)"},
	{&tc_sql_catalog_add_link, "('s5', 'http://new', 100, " NEW ", null, null)"},
	{&tc_sql_catalog_add_member, "('s5', " GROUP(7) ", 100, null)"},
	{&tc_sql_catalog_check_contact, "('s5', 'email', '5', 100)"},
	{&tc_sql_catalog_check_group, "(" GROUP(7) ", 'Group 8')"},
	{&tc_sql_catalog_check_link, "('s5', 'http://5', 100)"},
	{&tc_sql_catalog_check_member, "('s5', " GROUP(7) ", 100)"},
	{&tc_sql_catalog_check_system, "('s5', 'System 6', true)"},
	{&tc_sql_catalog_check_system, "('new', 'No name', true)"},
	{&tc_sql_catalog_check_system, "('s5', null, false)"},
	{&tc_sql_catalog_create_group, "(" NEW ", 'New', null, null)"},
	{&tc_sql_catalog_create_system, "('new', 'New', null, 'other', null)"},
	{&tc_sql_catalog_create_system, "(null, 's9', null, 'other', null)"},
	{&tc_sql_catalog_delete_group, "(" GROUP(7) ", null)"},
	{&tc_sql_catalog_delete_system, "('s7', null)"},
	{&tc_sql_catalog_get_system, "('s5', true)"},
	{&tc_sql_catalog_list_groups, "(51, null)"},
	{&tc_sql_catalog_list_groups, "(51, " GROUP(500) ")"},
	{&tc_sql_catalog_leave_incidents, "('s5', null)"},
	{&tc_sql_catalog_list_group_systems, "(51, null, null, null, " GROUP(7) ")"},
	{&tc_sql_catalog_list_group_systems, "(51, null, null, true, " GROUP(7) ")"},
	{&tc_sql_catalog_list_systems, "(51, null, null, null)"},
	{&tc_sql_catalog_list_systems, "(51, null, null, true)"},
	{&tc_sql_catalog_list_systems, "(51, null, null, false)"},
	{&tc_sql_catalog_list_systems,
	 "(51, extract(epoch from now() - interval '5 hours')::bigint * 1000000, 's5', "
	 "null)"},
	{&tc_sql_catalog_lock_group, "(" GROUP(7) ")"},
	{&tc_sql_catalog_lock_history, "('s6', 100)"},
	{&tc_sql_catalog_lock_incidents, "('s5', 100)"},
	{&tc_sql_catalog_lock_last, "('s5')"},
	{&tc_sql_catalog_lock_rest, "('s5', 100)"},
	{&tc_sql_catalog_lock_system, "('s5')"},
	{&tc_sql_catalog_remove_contact, "('s5', " THING(5) ", null)"},
	{&tc_sql_catalog_remove_link, "('s5', " THING(5) ", null)"},
	{&tc_sql_catalog_remove_member, "('s5', " GROUP(5) ", null)"},
	{&tc_sql_catalog_show_group, "(" GROUP(7) ")"},
	{&tc_sql_catalog_show_system, "('s5')"},
	{&tc_sql_catalog_update_group, "(" GROUP(7) ", 'New', null, false, null)"},
	{&tc_sql_catalog_update_system, "('s5', 'New', null, false, null)"},
};

static const struct tc_plan alert[] = {
	{&tc_sql_alert_acknowledge, "(" ALERT ", array[" NEW "], '{NULL}', '{NULL}')"},
	{&tc_sql_alert_create_source, "(" NEW ", 'New', " HASH(new) ", null)"},
	{&tc_sql_alert_find_source, "(" HASH(5) ", 'k5005')"},
	{&tc_sql_alert_list_sources, "(51, null)"},
	{&tc_sql_alert_list_sources, "(51, " THING(500) ")"},
	{&tc_sql_alert_lock_incidents, "(" ALERT ", " SYSTEM ")"},
	{&tc_sql_alert_look, "(" ALERT ", " SYSTEM ")"},
	{&tc_sql_alert_mark_locked, "('{t}')"},
	{&tc_sql_alert_record_firing, "(" ALERT ", '{s5005}', '{minor}', '{t}', '{\"{}\"}', "
				      "'{\"{}\"}', '{t}', array[" NEW "])"},
	{&tc_sql_alert_record_resolved, "(" ALERT ")"},
	{&tc_sql_alert_remove_resolved, "(86400, 100)"},
	{&tc_sql_alert_resolve_incidents, "(" ALERT ", array[" NEW "], '{NULL}', '{NULL}')"},
	{&tc_sql_alert_revoke_source, "(" THING(5) ", null)"},
	{&tc_sql_alert_touch_source, "(" THING(5) ")"},
};

static const struct tc_plan auth[] = {
	{&tc_sql_auth_clean_attempts, NULL}, /* now and then; counts rows up to its bound */
	{&tc_sql_auth_count_admin, NULL},    /* once, at the start */
	{&tc_sql_auth_count_attempt, "('name:5', 10, 60)"},
	{&tc_sql_auth_create_key, "(" NEW ", 'New', 'viewer', " HASH(new) ", null)"},
	{&tc_sql_auth_create_session, "(" NEW ", " HASH(new) ", " THING(5) ", 1, 8)"},
	{&tc_sql_auth_create_user, "(" NEW ", 'New', 'viewer', 'hash', null)"},
	{&tc_sql_auth_delete_user, "(" THING(5) ", null)"},
	{&tc_sql_auth_end_session, "(" THING(5) ", null)"},
	{&tc_sql_auth_find_gone, "(array[" THING(5) ", " THING(50000) "], '{viewer, viewer}')"},
	{&tc_sql_auth_find_key, "(" THING(5) ")"},
	{&tc_sql_auth_find_login, "('User 5')"},
	{&tc_sql_auth_find_password, "(" THING(5) ")"},
	{&tc_sql_auth_find_session, "(" THING(5) ")"},
	{&tc_sql_auth_forget_attempts, "('name:5')"},
	{&tc_sql_auth_install_admin, "(" NEW ", " HASH(new) ")"},
	{&tc_sql_auth_list_keys, "(51, null)"},
	{&tc_sql_auth_list_keys, "(51, " THING(500) ")"},
	{&tc_sql_auth_list_users, "(51, null)"},
	{&tc_sql_auth_list_users, "(51, " THING(500) ")"},
	{&tc_sql_auth_lock_admin, ""},
	{&tc_sql_auth_lock_user, "(" THING(5) ")"},
	{&tc_sql_auth_revoke_key, "(" THING(5) ", null)"},
	{&tc_sql_auth_touch_key, "(" THING(5) ")"},
	{&tc_sql_auth_trim_sessions, "(" THING(5) ", 20)"},
	{&tc_sql_auth_uncount_attempt, "('address:5')"},
	{&tc_sql_auth_update_user, "(" THING(5) ", 'New', null, 'hash', null, " THING(6) ")"},
};

static const struct tc_plan event[] = {
	{&tc_sql_event_copy_audit, "(" UNREAD ", '52', 49950)"},
	{&tc_sql_event_list_audit, "(51, null)"},
	{&tc_sql_event_list_audit, "(51, 20000)"},
	{&tc_sql_event_list_audit_actor, "(51, null, 'key:5')"},
	{&tc_sql_event_list_audit_subject, "(51, null, 'subject 5', null)"},
	{&tc_sql_event_list_audit_subject, "(51, 20000, 'subject 5', 'key:5')"},
	{&tc_sql_event_remove_audit, "(1, 100)"},
};

static const struct tc_plan outbox[] = {
	/* The first start on a restored dump: every event changes. */
	{&tc_sql_outbox_adopt_events, NULL},
	{&tc_sql_outbox_adopt_horizon, NULL},
	{&tc_sql_outbox_adopt_readers, NULL},
	{&tc_sql_outbox_adopt_lock, NULL},
	{&tc_sql_outbox_events_foreign, ""},
	{&tc_sql_outbox_events_held, ""},
	{&tc_sql_outbox_events_lag, "(" UNREAD ", 100)"},
	{&tc_sql_outbox_events_resume, "(" UNREAD ")"},
	{&tc_sql_outbox_events_start, "(100)"},
	{&tc_sql_outbox_fetch_events, "(" UNREAD ", 500)"},
	{&tc_sql_outbox_fetch_events_brief, "(" UNREAD ", 500)"},
	{&tc_sql_outbox_keep_horizon, ""},
	{&tc_sql_outbox_listen, NULL}, /* has no plan */
	{&tc_sql_outbox_notify, "('x')"},
	{&tc_sql_outbox_reader_advance, "('audit', '52', 49950)"},
	{&tc_sql_outbox_reader_lock, "('audit')"},
	{&tc_sql_outbox_reader_register, "('new', true)"},
	{&tc_sql_outbox_reader_span, "('audit', 500)"},
	{&tc_sql_outbox_remove_events, "(1, 100)"},
	{&tc_sql_outbox_retention_lock, ""},
};

static const struct tc_plan procedure[] = {
	{&tc_sql_procedure_claim_key, "('x')"},
	{&tc_sql_procedure_find_answer, "(" HASH(5) ", 86400)"},
	{&tc_sql_procedure_remove_answers, "(1, 100)"},
	{&tc_sql_procedure_store_answers,
	 "(array[" HASH(new) "], array[" HASH(new) "], '{200}', '{NULL}', "
						   "array[''::bytea], 86400)"},
};

static const struct tc_plan_room rooms[] = {
	{"catalog", "modules/catalog", catalog, TC_ARRAY_LENGTH(catalog)},
	{"alert", "modules/alert", alert, TC_ARRAY_LENGTH(alert)},
	{"auth", "modules/auth", auth, TC_ARRAY_LENGTH(auth)},
	{"event", "modules/event", event, TC_ARRAY_LENGTH(event)},
	{"outbox", "core/outbox", outbox, TC_ARRAY_LENGTH(outbox)},
	{"procedure", "core/procedure", procedure, TC_ARRAY_LENGTH(procedure)},
};

/* One of a thousand incidents is open, one of a thousand alerts fires; a group has 50 systems. Foreign keys are not
 * checked meanwhile: that would take longer than all the rest. */
static const char *const data[] = {
	"set session_replication_role = replica",
	"create function id_of(g bigint, kind text) returns uuid language sql immutable as $$ "
	"select "
	"md5(kind || g)::uuid $$",
	"create temporary table n as select g from generate_series(1, 50000) g",
	"insert into systems (id, name, discovered, created_at) select 's' || g, 'System ' || g, g "
	"% 1000 "
	"= 9, now() - g * interval '1 second' from n",
	"insert into catalog_groups (id, name) select id_of(g, 'group'), 'Group ' || g from n "
	"where g <= "
	"5000",
	"insert into catalog_members select 's' || g, id_of(g % 1000, 'group') from n",
	"insert into system_contacts (system_id, id, type, value) select 's' || g, id_of(g, "
	"'thing'), "
	"'email', g::text from n",
	"insert into system_links (system_id, id, url) select 's' || g, id_of(g, 'thing'), "
	"'http://' || g "
	"from n",
	"insert into incidents (id, title, status, severity, resolved_at) select id_of(g, "
	"'incident'), "
	"'t', (case when g % 1000 = 5 then 'fixing' else 'resolved' end)::incident_status, "
	"'minor', case "
	"when g % 1000 <> 5 then now() end from n",
	/* None is about s7, which can be deleted. */
	"insert into incident_systems select id_of(g, 'incident'), 's' || g, g % 1000 = 5, 1 from "
	"n where g <> 7",
	"insert into alerts (source, dedup_key, state, system_id, incident_id, severity, title, "
	"resolved_at) select 'alertmanager', 'k' || g, (case when g % 1000 = 5 then 'firing' else "
	"'resolved' end)::alert_state, 's' || g, id_of(g, 'incident'), 'minor', 't', case when g % "
	"1000 <> "
	"5 then now() end from n",
	"insert into alert_incidents select id_of(g, 'incident') from n",
	"insert into alert_sources (id, name, routing_key_hash, created_at) select id_of(g, "
	"'thing'), 'Source "
	"' || g, sha256(g::text::bytea), now() - g * interval '1 second' from n where g <= 5000",
	"insert into api_keys (id, name, role, secret_hash, created_at) select id_of(g, 'thing'), "
	"'Key ' || "
	"g, 'viewer', sha256(''), now() - g * interval '1 second' from n where g <= 5000",
	"insert into users (id, name, role, password_hash, created_at) select id_of(g, 'thing'), "
	"'User ' || "
	"g, 'viewer', 'hash', now() - g * interval '1 second' from n where g <= 5000",
	"insert into sessions (id, user_id, secret_hash, expires_at) select id_of(g, 'thing'), "
	"id_of(g % "
	"5000, 'thing'), sha256(''), now() + interval '1 hour' from n",
	"insert into login_attempts select sha256(g::text::bytea), 1, now() - g * interval '1 "
	"second' from n",
	"do $$ declare name text; begin foreach name in array array['leaving', 'held'] loop "
	"execute format('alter database %I set tocsin.%I = %L', current_database(), name, "
	"array[id_of(5, 'incident')]); end loop; end $$",
	TC_PLAN_STATISTICS,
	"insert into events (sequence, transaction, time, kind, subject, action, actor) overriding "
	"system "
	"value select g, (g / 1000 + 3)::text::xid8, now() - interval '1 day', 'incident.created', "
	"'subject ' || g % 1000, 'created', 'key:' || g % 1000 from n",
	"insert into audit select sequence, time, kind, subject, action, systems, previous, next, "
	"actor "
	"from events where sequence <= 49900",
	"insert into event_readers (name, transaction, position) values ('audit', '52', 49900) on "
	"conflict "
	"(name) do update set transaction = '52', position = 49900",
	"insert into idempotency_answers (scope, fingerprint, status, body, stored_at) select "
	"sha256(g::text::bytea), sha256(''), 200, '', now() - g * interval '1 second' from n",
};

int main(int count, char **arguments)
{
	const struct tc_plan_program program = {
		.rooms = rooms,
		.rooms_count = TC_ARRAY_LENGTH(rooms),
		.data = data,
		.data_count = TC_ARRAY_LENGTH(data),
		.scan = "select count(*) from systems where description = 'x'",
		.walk = "select from systems where description = 'x' order by id",
	};

	return tc_plans_main(count, arguments, &program);
}
