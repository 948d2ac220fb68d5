/* test/integration/test_auth.c: keys in a real database, remembered by a node, revoked from elsewhere.
 *
 * How each was seen to fail: without the NOTIFY in revoke_key.sql a revoked key goes on working from memory;
 * without the call with detail NULL after a reconnect so does one revoked while nobody listened;
 * without lock_admin.sql several nodes make an admin key each; with keys alone counted in count_admin.sql a start
 * makes one though there is a user who is an admin. */
#include "base/buffer.h"
#include "base/memory.h"
#include "core/outbox/hints.h"
#include "modules/auth/auth.h"
#include "modules/auth/auth_user.h"
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

#define NODES 8

#define READ   (TC_RULE_INCIDENT_READ | TC_RULE_SYSTEM_READ)
#define MANAGE (TC_RULE_INCIDENT_MANAGE | TC_RULE_SYSTEM_MANAGE | TC_RULE_SOURCE_MANAGE)

static struct {
	struct tocsin_pool *pool;
	struct tc_hints *hints;
	struct tc_auth *auth;
	struct tc_gate looked, dropped; /* hints told to look; a key was named */
	unsigned looks, drops;          /* how often we waited for each */
} node;

/* Subscribed after the service, so called after it. */
static void on_hint(const char *detail, void *userdata)
{
	(void)userdata;
	tc_gate_signal(detail ? &node.dropped : &node.looked);
}

static bool is_connected(void *argument)
{
	(void)argument;
	return tc_hints_is_connected(node.hints);
}

static void wait_connected(void)
{
	assert_true(tc_gate_wait(&node.looked, ++node.looks));
	assert_true(tc_wait_until(is_connected, NULL));
}

static int set_up(void **state)
{
	struct tocsin_error error;

	if (tc_test_work_setup(state, NODES, &node.pool))
		return -1;
	tc_gate_init(&node.looked);
	tc_gate_init(&node.dropped);
	if (tc_hints_new(&node.hints, tc_test_conninfo(), &error) ||
	    tc_auth_new(&node.auth,
			&(struct tc_auth_options){.work_pool = node.pool,
						  .hints = node.hints,
						  .anonymous_read = true,
						  .session_hours = 1},
			&error) ||
	    tc_hints_subscribe(node.hints, "auth", on_hint, NULL, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	if (!tc_wait_until(is_connected, NULL))
		return -1;
	node.looks = node.looked.signalled;
	return 0;
}

static int tear_down(void **state)
{
	tc_hints_free(node.hints);
	tc_auth_free(node.auth);
	tc_gate_deinit(&node.looked);
	tc_gate_deinit(&node.dropped);
	return tc_test_work_teardown(state, &node.pool);
}

static int clean(void **state)
{
	(void)state;
	free(tc_test_sql("truncate api_keys, users cascade"));
	return 0;
}

/* --- shortcuts --- */

static void make_key(const char *role, char ret_header[static TC_AUTH_KEY_SIZE + 7],
		     char ret_id[static 37])
{
	const struct tc_auth_key_request request = {.name = "test", .role = role, .actor = "key:x"};
	char key[TC_AUTH_KEY_SIZE];
	struct tocsin_error error;

	assert_ok(tc_auth_create_key(node.pool, &request, key, NULL, &error));
	snprintf(ret_header, TC_AUTH_KEY_SIZE + 7, "Bearer %s", key);
	memcpy(ret_id, key + strlen("tocsin_"), 36);
	ret_id[36] = '\0';
}

static enum tc_auth_answer check(const char *header, bool may_block, struct tc_caller *ret_caller)
{
	struct tocsin_error error;

	return tc_auth_check(node.auth, &(struct tc_credentials){.authorization = header},
			     may_block, ret_caller, &error);
}

/* --- tests --- */

static void test_roles(void **state)
{
	static const struct {
		const char *role;
		uint32_t rules;
	} cases[] = {
		{"admin",
		 READ | MANAGE | TC_RULE_KEY_MANAGE | TC_RULE_USER_MANAGE | TC_RULE_AUDIT_READ},
		{"manager", READ | MANAGE},
		{"viewer", READ},
	};
	char header[TC_AUTH_KEY_SIZE + 7], id[37], actor[64];
	struct tc_caller caller;

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(cases); i++) {
		make_key(cases[i].role, header, id);
		assert_int_equal(check(header, false, &caller), TC_AUTH_AGAIN);
		assert_int_equal(check(header, true, &caller), TC_AUTH_OK);
		assert_int_equal(check(header, false, &caller), TC_AUTH_OK);
		assert_int_equal(caller.rules, cases[i].rules);
		assert_false(caller.is_anonymous);
		snprintf(actor, sizeof(actor), "key:%s", id);
		assert_string_equal(caller.id, actor);
		assert_string_equal(caller.name, "test");
	}
	assert_int_equal(check(NULL, false, &caller), TC_AUTH_OK);
	assert_true(caller.is_anonymous);
	assert_int_equal(caller.rules, READ);
	assert_string_equal(caller.id, "");
	assert_number("select count(*) from api_keys where last_used_at is not null", 3);
}

static void test_refused(void **state)
{
	char header[TC_AUTH_KEY_SIZE + 7], id[37], *secret;
	struct tc_caller caller;

	(void)state;
	make_key("admin", header, id);
	assert_int_equal(check(header, true, &caller), TC_AUTH_OK);
	secret = header + strlen("Bearer tocsin_") + 36 + 1;
	*secret = *secret == 'A' ? 'B' : 'A';
	assert_int_equal(check(header, false, &caller), TC_AUTH_AGAIN);
	assert_int_equal(check(header, true, &caller), TC_AUTH_REFUSED);
	assert_int_equal(check("Bearer nonsense", false, &caller), TC_AUTH_REFUSED);
	assert_int_equal(check("", false, &caller), TC_AUTH_REFUSED);
	free(tc_test_sql("delete from api_keys"));
	make_key("admin", header, id);
	free(tc_test_sql("delete from api_keys"));
	assert_int_equal(check(header, true, &caller), TC_AUTH_REFUSED);
}

static void test_revoke_is_heard(void **state)
{
	char header[TC_AUTH_KEY_SIZE + 7], id[37];
	struct tc_caller caller;
	struct tocsin_error error;

	(void)state;
	make_key("admin", header, id);
	assert_int_equal(check(header, true, &caller), TC_AUTH_OK);
	assert_int_equal(check(header, false, &caller), TC_AUTH_OK);
	assert_ok(tc_auth_revoke_key(node.pool, id, NULL, &error));
	assert_true(tc_gate_wait(&node.dropped, ++node.drops));
	assert_int_equal(check(header, false, &caller), TC_AUTH_AGAIN);
	assert_int_equal(check(header, true, &caller), TC_AUTH_REFUSED);
	assert_ok(tc_auth_revoke_key(node.pool, id, NULL, &error)); /* harmless */
	assert_true(tc_gate_wait(&node.dropped, ++node.drops));
	assert_code(
		tc_auth_revoke_key(node.pool, "0190a0b0-0000-7000-8000-0123456789ab", NULL, &error),
		TOCSIN_E_NOT_FOUND);
	assert_code(tc_auth_revoke_key(node.pool, "x", NULL, &error), TOCSIN_E_INVALID);
}

/* Revoked while nobody listened: no hint is ever sent for it. */
static void test_reconnect_forgets(void **state)
{
	char header[TC_AUTH_KEY_SIZE + 7], id[37];
	struct tc_caller caller;

	(void)state;
	make_key("admin", header, id);
	assert_int_equal(check(header, true, &caller), TC_AUTH_OK);
	free(tc_test_sql("update api_keys set revoked_at = now()"));
	assert_int_equal(check(header, false, &caller),
			 TC_AUTH_OK); /* as it must be: nobody told us */
	assert_int_equal(tc_test_terminate_backends("tocsin listener"), 1);
	wait_connected();
	assert_int_equal(check(header, false, &caller), TC_AUTH_AGAIN);
	assert_int_equal(check(header, true, &caller), TC_AUTH_REFUSED);
}

/* Without a listener nothing is trusted but the database. */
static void test_no_hints(void **state)
{
	char header[TC_AUTH_KEY_SIZE + 7], id[37];
	struct tc_auth *deaf;
	struct tc_caller caller;
	struct tocsin_error error;

	(void)state;
	make_key("admin", header, id);
	assert_ok(tc_auth_new(&deaf, &(struct tc_auth_options){.work_pool = node.pool}, &error));
	assert_int_equal(tc_auth_check(deaf, &(struct tc_credentials){.authorization = header},
				       true, &caller, &error),
			 TC_AUTH_OK);
	assert_int_equal(tc_auth_check(deaf, &(struct tc_credentials){.authorization = header},
				       false, &caller, &error),
			 TC_AUTH_AGAIN);
	tc_auth_free(deaf);
}

static char admin_keys[NODES][TC_AUTH_KEY_SIZE];

static int ensure_admin(void *argument, unsigned index, struct tocsin_error *error)
{
	(void)argument;
	return tc_auth_ensure_admin(node.pool, NULL, admin_keys[index], error);
}

static void test_first_admin_is_made_once(void **state)
{
	char header[TC_AUTH_KEY_SIZE + 7];
	struct tc_caller caller;
	struct tocsin_error error;
	struct tc_crew crew;
	unsigned made = 0;

	(void)state;
	tc_crew_init(&crew);
	tc_crew_start(&crew, NODES, ensure_admin, NULL);
	tc_crew_finish(&crew, TOCSIN_OK);
	for (unsigned i = 0; i < NODES; i++) {
		if (!admin_keys[i][0])
			continue;
		made++;
		snprintf(header, sizeof(header), "Bearer %.*s", TC_AUTH_KEY_SIZE - 1,
			 admin_keys[i]);
	}
	assert_int_equal(made, 1);
	assert_number("select count(*) from api_keys", 1);
	assert_int_equal(check(header, true, &caller), TC_AUTH_OK);
	assert_true(caller.rules & TC_RULE_KEY_MANAGE);
	assert_ok(tc_auth_ensure_admin(node.pool, NULL, admin_keys[0], &error));
	assert_string_equal(admin_keys[0], "");
}

/* Who works with users and revoked the first key is not given another one, for the log to keep, at each start. */
static void test_no_key_beside_an_admin(void **state)
{
	struct tc_auth_user_request request = {
		.name = "ada", .role = "manager", .password_hash = "none"};
	char header[TC_AUTH_KEY_SIZE + 7], id[37], key[TC_AUTH_KEY_SIZE];
	struct tocsin_error error;

	(void)state;
	assert_ok(tc_auth_user_create(node.pool, &request, NULL, &error));
	make_key("manager", header, id);
	assert_ok(tc_auth_ensure_admin(node.pool, NULL, key, &error));
	assert_string_not_equal(key, "");
	free(tc_test_sql("update api_keys set revoked_at = now()"));
	request = (struct tc_auth_user_request){
		.name = "grace", .role = "admin", .password_hash = "none"};
	assert_ok(tc_auth_user_create(node.pool, &request, NULL, &error));
	assert_ok(tc_auth_ensure_admin(node.pool, NULL, key, &error));
	assert_string_equal(key, "");
}

static void test_given_admin_key(void **state)
{
	static const char given[] = "tocsin_0190a0b0-0000-7000-8000-0123456789ab_"
				    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
	static const char other[] = "tocsin_0190a0b0-0000-7000-8000-0123456789ab_"
				    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh4";
	char header[TC_AUTH_KEY_SIZE + 7], made[TC_AUTH_KEY_SIZE] = "x";
	struct tc_caller caller;
	struct tocsin_error error;

	(void)state;
	assert_code(tc_auth_ensure_admin(node.pool, "secret", made, &error), TOCSIN_E_INVALID);
	assert_contains(error.message, TC_AUTH_KEY_FORM);
	assert_string_equal(made, "x");
	for (unsigned i = 0; i < 2; i++) { /* every start gives it again */
		assert_ok(tc_auth_ensure_admin(node.pool, given, made, &error));
		assert_string_equal(made, "");
	}
	snprintf(header, sizeof(header), "Bearer %s", given);
	assert_int_equal(check(header, true, &caller), TC_AUTH_OK);
	assert_true(caller.rules & TC_RULE_KEY_MANAGE);
	assert_code(tc_auth_ensure_admin(node.pool, other, made, &error), TOCSIN_E_INVALID);
	assert_ok(tc_auth_revoke_key(node.pool, caller.id + strlen("key:"), NULL, &error));
	assert_true(tc_gate_wait(&node.dropped, ++node.drops));
	assert_code(tc_auth_ensure_admin(node.pool, given, made, &error), TOCSIN_E_INVALID);
	assert_contains(error.message, "revoked");
}

static void test_list(void **state)
{
	char header[TC_AUTH_KEY_SIZE + 7], ids[3][37];
	struct tocsin_error error;
	TC_BUFFER json = {0};
	json_t *page, *keys;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		make_key("viewer", header, ids[i]);
	assert_ok(tc_auth_list_keys(node.pool, 2, NULL, &json, &error));
	assert_null(strstr(json.data, header + strlen("Bearer tocsin_") + 37));
	page = json_loads(json.data, 0, NULL);
	keys = json_object_get(page, "keys");
	assert_int_equal(json_array_size(keys), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 0), "id")),
			    ids[2]);
	assert_int_equal(json_object_size(json_array_get(keys, 0)),
			 5); /* id name role createdAt createdBy */
	tc_buffer_clear(&json);
	assert_ok(tc_auth_list_keys(node.pool, 2,
				    json_string_value(json_object_get(page, "nextCursor")), &json,
				    &error));
	json_decref(page);
	page = json_loads(json.data, 0, NULL);
	keys = json_object_get(page, "keys");
	assert_int_equal(json_array_size(keys), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 0), "id")),
			    ids[0]);
	assert_null(json_object_get(page, "nextCursor"));
	json_decref(page);
	tc_buffer_clear(&json);
	free(tc_test_sql("delete from api_keys"));
	assert_ok(tc_auth_list_keys(node.pool, 2, NULL, &json, &error));
	assert_string_equal(json.data, "{\"keys\": []}");
	assert_code(tc_auth_list_keys(node.pool, 0, NULL, &json, &error), TOCSIN_E_INVALID);
	assert_code(tc_auth_list_keys(node.pool, 1, "x", &json, &error), TOCSIN_E_INVALID);
}

static void test_bad_requests(void **state)
{
	static char long_name[TC_AUTH_NAME_MAX + 2];
	const struct tc_auth_key_request requests[] = {
		{.name = "", .role = "admin"},     {.name = long_name, .role = "admin"},
		{.name = "\xff", .role = "admin"}, {.name = "x", .role = "root"},
		{.name = "x", .role = ""},
	};
	char key[TC_AUTH_KEY_SIZE];
	struct tocsin_error error;

	(void)state;
	memset(long_name, 'x', TC_AUTH_NAME_MAX + 1);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(requests); i++)
		assert_code(tc_auth_create_key(node.pool, &requests[i], key, NULL, &error),
			    TOCSIN_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_roles, clean),
		cmocka_unit_test_setup(test_refused, clean),
		cmocka_unit_test_setup(test_revoke_is_heard, clean),
		cmocka_unit_test_setup(test_reconnect_forgets, clean),
		cmocka_unit_test_setup(test_no_hints, clean),
		cmocka_unit_test_setup(test_first_admin_is_made_once, clean),
		cmocka_unit_test_setup(test_no_key_beside_an_admin, clean),
		cmocka_unit_test_setup(test_given_admin_key, clean),
		cmocka_unit_test_setup(test_list, clean),
		cmocka_unit_test_setup(test_bad_requests, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
