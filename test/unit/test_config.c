/* test/unit/test_config.c: every setting, its default, its limits, and what a bad value is told. */
#include "app/config.h"

#include "base/macro.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534 /* a user that is not root */

#define KEY                                                                                        \
	"tocsin_0190b5a0-0000-7000-8000-000000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char *const names[] = {
	"TOCSIN_LISTEN",
	"TOCSIN_DATA_DIR",
	"DATABASE_URL",
	"TOCSIN_ADMIN_KEY",
	"TOCSIN_LOG",
	"DATABASE_POOL_MAX",
	"DATABASE_LOCK_POOL_MAX",
	"DATABASE_POOL_CONNECTION_TIMEOUT_MS",
	"DATABASE_POOL_IDLE_TIMEOUT_MS",
	"DATABASE_LOCK_IDLE_TX_TIMEOUT_MS",
	"DATABASE_LOCK_TIMEOUT_MS",
	"TOCSIN_UNKNOWN_SYSTEMS",
	"TOCSIN_ALERT_SYSTEM_LABELS",
	"TOCSIN_ALERT_AUTO_RESOLVE",
	"TOCSIN_ALERT_RETENTION",
	"TOCSIN_AUDIT_RETENTION",
	"TOCSIN_EVENT_RETENTION",
	"TOCSIN_EVENT_STREAMS_PER_CALLER",
	"TOCSIN_ANONYMOUS_READ",
	"TOCSIN_SESSION_HOURS",
	"TOCSIN_COOKIE_SECURE",
	"TOCSIN_TRUST_PROXY",
};

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(names); i++)
		unsetenv(names[i]);
	return 0;
}

static void test_defaults(void **state)
{
	struct tc_config config;

	(void)state;
	assert_int_equal(tc_config_init(&config, NULL), TOCSIN_OK);
	assert_string_equal(config.listen, "127.0.0.1:3000");
	assert_null(config.database_url);
	assert_null(config.admin_key);
	assert_int_equal(config.log_level, TC_LOG_INFO);
	assert_false(config.log_json);
	assert_int_equal(config.pool_max, 20);
	assert_int_equal(config.lock_pool_max, 10);
	assert_int_equal(config.connection_timeout_ms, 10000);
	assert_int_equal(config.idle_timeout_ms, 30000);
	assert_int_equal(config.lock_idle_tx_timeout_ms, 30000);
	assert_int_equal(config.lock_timeout_ms, 30000);
	assert_false(config.reject_unknown_systems);
	assert_true(config.alert_auto_resolve);
	assert_int_equal(config.alert_retention_s, 30 * 86400);
	assert_true(config.anonymous_read);
	assert_int_equal(config.session_hours, 24);
	assert_false(config.cookie_secure);
	assert_false(config.trust_proxy);
	assert_string_equal(config.alert_system_labels, "system,service,job,instance");
	assert_true(config.data_directory[0] == '/');
	tc_config_deinit(&config);
}

static void test_good_values(void **state)
{
	struct tc_config config;

	(void)state;
	setenv("TOCSIN_LISTEN", "[::1]:0", 1);
	setenv("TOCSIN_DATA_DIR", "/somewhere", 1);
	setenv("DATABASE_URL", "postgresql://u:p@a,b/tocsin", 1);
	setenv("TOCSIN_ADMIN_KEY", KEY, 1);
	setenv("TOCSIN_LOG", "debug,json", 1);
	setenv("DATABASE_POOL_MAX", "1", 1);
	setenv("DATABASE_LOCK_TIMEOUT_MS", "86400000", 1);
	setenv("TOCSIN_UNKNOWN_SYSTEMS", "reject", 1);
	setenv("TOCSIN_ALERT_AUTO_RESOLVE", "false", 1);
	assert_int_equal(tc_config_init(&config, NULL), TOCSIN_OK);
	assert_string_equal(config.listen, "[::1]:0");
	assert_string_equal(config.data_directory, "/somewhere");
	assert_string_equal(config.database_url, "postgresql://u:p@a,b/tocsin");
	assert_string_equal(config.admin_key, KEY);
	assert_int_equal(config.log_level, TC_LOG_DEBUG);
	assert_true(config.log_json);
	assert_int_equal(config.pool_max, 1);
	assert_int_equal(config.lock_timeout_ms, 86400000);
	assert_true(config.reject_unknown_systems);
	assert_false(config.alert_auto_resolve);
	tc_config_deinit(&config);
}

static void test_empty_text_is_unset(void **state)
{
	struct tc_config config;

	(void)state;
	setenv("DATABASE_URL", "", 1);
	setenv("TOCSIN_LISTEN", "", 1);
	assert_int_equal(tc_config_init(&config, NULL), TOCSIN_OK);
	assert_null(config.database_url);
	assert_string_equal(config.listen, "127.0.0.1:3000");
	tc_config_deinit(&config);
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *name, *value, *allowed;
	} cases[] = {
		{"DATABASE_POOL_MAX", "0", "1 to 10000"},
		{"DATABASE_POOL_MAX", "-1", "1 to 10000"},
		{"DATABASE_POOL_MAX", "+1", "1 to 10000"},
		{"DATABASE_POOL_MAX", " 1", "1 to 10000"},
		{"DATABASE_POOL_MAX", "1.5", "1 to 10000"},
		{"DATABASE_POOL_MAX", "ten", "1 to 10000"},
		{"DATABASE_POOL_MAX", "", "1 to 10000"},
		{"DATABASE_POOL_MAX", "10001", "1 to 10000"},
		{"DATABASE_POOL_MAX", "99999999999999999999999", "1 to 10000"},
		{"DATABASE_LOCK_POOL_MAX", "10s", "1 to 10000"},
		{"DATABASE_POOL_CONNECTION_TIMEOUT_MS", "0", "1 to 86400000"},
		{"DATABASE_POOL_IDLE_TIMEOUT_MS", "x", "1 to 86400000"},
		{"DATABASE_LOCK_IDLE_TX_TIMEOUT_MS", "86400001", "1 to 86400000"},
		{"DATABASE_LOCK_TIMEOUT_MS", "0x10", "1 to 86400000"},
		{"TOCSIN_LISTEN", "3000", "an address of this machine and a free port"},
		{"TOCSIN_LISTEN", ":3000", "an address of this machine and a free port"},
		{"TOCSIN_LISTEN", "::1:3000", "an address of this machine and a free port"},
		{"TOCSIN_LISTEN", "127.0.0.1:65536", "an address of this machine and a free port"},
		{"TOCSIN_LISTEN", "127.0.0.1:", "an address of this machine and a free port"},
		{"TOCSIN_DATA_DIR", "relative", "an absolute path"},
		{"TOCSIN_LOG", "loud", "error, warning, info or debug"},
		{"TOCSIN_LOG", "", "error, warning, info or debug"},
		{"TOCSIN_UNKNOWN_SYSTEMS", "maybe", "discover or reject"},
		{"TOCSIN_ANONYMOUS_READ", "no", "false or true"},
		{"TOCSIN_SESSION_HOURS", "0", "1 to 8760"},
		{"TOCSIN_SESSION_HOURS", "8761", "1 to 8760"},
		{"TOCSIN_COOKIE_SECURE", "1", "false or true"},
		{"TOCSIN_TRUST_PROXY", "", "false or true"},
		{"TOCSIN_ALERT_AUTO_RESOLVE", "yes", "false or true"},
		{"TOCSIN_ALERT_SYSTEM_LABELS", "a,,b", "names of labels"},
		{"TOCSIN_ALERT_RETENTION", "30", "from 1s to 3650d"},
		{"TOCSIN_ALERT_RETENTION", "0d", "from 1s to 3650d"},
		{"TOCSIN_AUDIT_RETENTION", "3651d", "from 1s to 3650d"},
		{"TOCSIN_AUDIT_RETENTION", "1y", "from 1s to 3650d"},
		{"TOCSIN_EVENT_RETENTION", "-1h", "from 1s to 3650d"},
		{"TOCSIN_EVENT_RETENTION", "", "from 1s to 3650d"},
		{"TOCSIN_EVENT_STREAMS_PER_CALLER", "0", "1 to "},
		{"TOCSIN_EVENT_STREAMS_PER_CALLER", "all", "1 to "},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(cases); i++) {
		struct tc_config config;
		struct tocsin_error error = {0};

		set_up(NULL);
		setenv(cases[i].name, cases[i].value, 1);
		if (tc_config_init(&config, &error) != TOCSIN_E_INVALID)
			fail_msg("%s=%s was accepted", cases[i].name, cases[i].value);
		if (strncmp(error.message, cases[i].name, strlen(cases[i].name)) != 0 ||
		    !strstr(error.message, cases[i].allowed))
			fail_msg("%s=%s: \"%s\"", cases[i].name, cases[i].value, error.message);
		if (cases[i].value[0] && !strstr(error.message, cases[i].value))
			fail_msg("the value is missing: \"%s\"", error.message);
	}
}

static void test_secrets_are_not_shown(void **state)
{
	static const char *const secrets[][2] = {
		{"DATABASE_URL", "postgresql://u:hunter2@h/x?nonsense=hunter2"},
		{"TOCSIN_ADMIN_KEY", "tocsin_hunter2"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(secrets); i++) {
		struct tc_config config;
		struct tocsin_error error = {0};

		set_up(NULL);
		setenv(secrets[i][0], secrets[i][1], 1);
		assert_int_equal(tc_config_init(&config, &error), TOCSIN_E_INVALID);
		assert_non_null(strstr(error.message, secrets[i][0]));
		assert_null(strstr(error.message, "hunter2"));
	}
}

static void test_data_directory_of_a_user(void **state)
{
	struct tc_config config;

	(void)state;
	if (geteuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
	setenv("XDG_DATA_HOME", "/data/home", 1);
	assert_int_equal(tc_config_init(&config, NULL), TOCSIN_OK);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_string_equal(config.data_directory, "/data/home/tocsin");
	tc_config_deinit(&config);
}

static void test_help_is_complete(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	tc_config_help(out);
	fclose(out);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(names); i++)
		assert_non_null(strstr(text, names[i]));
	assert_null(strstr(text, "(null)"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, set_up),
		cmocka_unit_test_setup(test_good_values, set_up),
		cmocka_unit_test_setup(test_empty_text_is_unset, set_up),
		cmocka_unit_test_setup(test_bad_values, set_up),
		cmocka_unit_test_setup(test_secrets_are_not_shown, set_up),
		cmocka_unit_test_setup(test_data_directory_of_a_user, set_up),
		cmocka_unit_test_setup(test_help_is_complete, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
