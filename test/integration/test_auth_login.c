/* test/integration/test_auth_login.c: log-ins that meet something: each other, a new password, a full table.
 *
 * How each was seen to fail: without the password's version in create_session.sql a log-in with the old password
 * ends in a session; without lock_user.sql a session made meanwhile outlives the new password; with the count
 * taken out of admit more than the limit get in; without the roll-back of a refused attempt an address that
 * is at its limit locks names out; without trim_sessions.sql and clean_attempts.sql the tables grow; with the attempts
 * forgotten in a transaction of its own the password is another, though the change is said to have failed. */
#include "base/buffer.h"
#include "base/memory.h"
#include "modules/auth/auth_login.h"
#include "modules/auth/auth_user.h"
#include "support/crew.h"
#include "support/outside.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CALLERS 16

static struct tocsin_pool *pool;
static char hash[TC_AUTH_PASSWORD_HASH_SIZE], other_hash[TC_AUTH_PASSWORD_HASH_SIZE];
static char user_id[37];

static int set_up(void **state)
{
	struct tocsin_error error;

	if (sodium_init() < 0 || tc_test_work_setup(state, CALLERS, &pool))
		return -1;
	if (tc_auth_password_hash("correct horse", hash, &error) ||
	    tc_auth_password_hash("another horse", other_hash, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	return tc_test_work_teardown(state, &pool);
}

/* One user, "ada", and nothing else. */
static int clean(void **state)
{
	const struct tc_auth_user_request request = {
		.name = "ada", .role = "viewer", .password_hash = hash};
	struct tocsin_error error;

	(void)state;
	tc_test_clean("users, sessions, login_attempts, events");
	return tc_auth_user_create(pool, &request, NULL, &error) ||
	       tc_auth_user_find(pool, "ADA", user_id, &error);
}

static int admit(const char *name, const char *client, struct tc_auth_login *ret_login,
		 unsigned *ret_wait_s)
{
	struct tocsin_error error;

	*ret_login = (struct tc_auth_login){.name = name};
	snprintf(ret_login->client, sizeof(ret_login->client), "%s", client);
	return tc_auth_login_admit(pool, ret_login, ret_wait_s, &error);
}

static int open_session(const struct tc_auth_login *login,
			struct tc_auth_login_session *ret_session)
{
	struct tocsin_error error;

	return tc_auth_login_open(pool, login, 1, ret_session, &error);
}

static void change_password(int version, const char *kept, int expected)
{
	const struct tc_auth_user_request request = {
		.password_hash = other_hash, .password_version = version, .kept_session = kept};
	struct tocsin_error error;

	assert_int_equal(tc_auth_user_update(pool, user_id, &request, NULL, &error), expected);
}

/* --- a new password --- */

static void test_password_changes_during_log_in(void **state)
{
	struct tc_auth_login login;
	struct tc_auth_login_session session;
	unsigned wait_s;

	(void)state;
	assert_int_equal(admit("ada", "192.0.2.1", &login, &wait_s), TOCSIN_OK);
	assert_true(login.is_known);
	assert_true(tc_auth_password_matches(login.password_hash, "correct horse"));
	change_password(0, NULL, TOCSIN_OK);
	assert_int_equal(open_session(&login, &session), TOCSIN_E_NOT_FOUND);
	assert_number("select count(*) from sessions", 0);
	change_password(login.password_version, NULL, TOCSIN_E_EXISTS);

	assert_int_equal(admit("ada", "192.0.2.1", &login, &wait_s), TOCSIN_OK);
	assert_true(tc_auth_password_matches(login.password_hash, "another horse"));
	free(tc_test_sql("delete from users"));
	assert_int_equal(open_session(&login, &session), TOCSIN_E_NOT_FOUND);
}

struct opener {
	struct tc_auth_login login;
	int result;
};

static int open_in_thread(void *argument, unsigned index, struct tocsin_error *error)
{
	struct opener *opener = argument;
	struct tc_auth_login_session session;

	(void)index, (void)error;
	opener->result = open_session(&opener->login, &session);
	return TOCSIN_OK;
}

static int change_in_thread(void *argument, unsigned index, struct tocsin_error *error)
{
	const struct tc_auth_user_request request = {.password_hash = other_hash};

	(void)argument, (void)index;
	return tc_auth_user_update(pool, user_id, &request, NULL, error);
}

/* Whether so many sessions wait for a row that another holds. */
static bool are_waiting(void *count)
{
	const long *wanted = count;

	return tc_test_sql_number("select count(*) from pg_stat_activity where wait_event_type = "
				  "'Lock' and datname = current_database()") == *wanted;
}

/* The log-in has made its session, and has not committed, when the password changes: that waits, and then
 * must find the session. Here the log-in is stopped in between by a lock on what it deletes last. */
static void test_log_in_during_password_change(void **state)
{
	struct opener opener;
	struct tc_crew crew, changer;
	long one = 1, two = 2;
	PGconn *holder;
	unsigned wait_s;

	(void)state;
	assert_int_equal(admit("ada", "", &opener.login, &wait_s), TOCSIN_OK);
	holder =
		tc_outside_hold(tc_test_conninfo(), "begin; select from login_attempts for update");
	tc_crew_init(&crew);
	tc_crew_start(&crew, 1, open_in_thread, &opener);
	assert_true(tc_wait_until(are_waiting, &one));
	tc_crew_init(&changer);
	tc_crew_start(&changer, 1, change_in_thread, NULL);
	assert_true(tc_wait_until(are_waiting, &two));
	tc_outside_run(holder, "commit");
	PQfinish(holder);
	tc_crew_finish(&crew, TOCSIN_OK);
	tc_crew_finish(&changer, TOCSIN_OK);
	assert_int_equal(opener.result, TOCSIN_OK);
	assert_number("select count(*) from sessions", 0);
}

/* Who is told that it failed has the old one, and the sessions that were there. */
static void test_new_password_is_all_or_nothing(void **state)
{
	const struct tc_auth_user_request request = {.password_hash = other_hash};
	struct tc_auth_login login;
	struct tc_auth_login_session session;
	struct tocsin_error error;
	unsigned wait_s;

	(void)state;
	assert_int_equal(admit("ada", "", &login, &wait_s), TOCSIN_OK);
	assert_int_equal(open_session(&login, &session), TOCSIN_OK);
	assert_int_equal(admit("ada", "", &login, &wait_s), TOCSIN_OK);
	free(tc_test_sql("alter table login_attempts rename to hidden"));
	assert_int_not_equal(tc_auth_user_update(pool, user_id, &request, NULL, &error), TOCSIN_OK);
	free(tc_test_sql("alter table hidden rename to login_attempts"));
	assert_number("select password_version from users", 1);
	assert_number("select count(*) from sessions", 1);
	change_password(0, NULL, TOCSIN_OK);
	assert_number("select count(*) from login_attempts", 0);
}

static void test_new_password_keeps_one_session(void **state)
{
	struct tc_auth_login login;
	struct tc_auth_login_session session, other;
	unsigned wait_s;

	(void)state;
	assert_int_equal(admit("ada", "", &login, &wait_s), TOCSIN_OK);
	assert_int_equal(open_session(&login, &session), TOCSIN_OK);
	assert_int_equal(open_session(&login, &other), TOCSIN_OK);
	change_password(login.password_version, session.caller.session, TOCSIN_OK);
	assert_number("select count(*) from sessions", 1);
	change_password(0, NULL, TOCSIN_OK);
	assert_number("select count(*) from sessions", 0);
}

/* --- limits --- */

static unsigned admitted[CALLERS];

static int admit_in_thread(void *argument, unsigned index, struct tocsin_error *error)
{
	struct tc_auth_login login;
	char client[16];
	unsigned wait_s = 0;
	int result;

	(void)argument, (void)error;
	snprintf(client, sizeof(client), "192.0.2.%u", index);
	result = admit("ada", client, &login, &wait_s);
	admitted[index] = result == TOCSIN_OK;
	/* Whoever is refused is told for how long. */
	return result == TOCSIN_OK || (result == TOCSIN_E_FULL && wait_s > 0) ? TOCSIN_OK : result;
}

/* Nobody has checked a password yet: the attempts count already. */
static void test_at_once(void **state)
{
	struct tc_crew crew;
	unsigned count = 0;

	(void)state;
	tc_crew_init(&crew);
	tc_crew_start(&crew, CALLERS, admit_in_thread, NULL);
	tc_crew_finish(&crew, TOCSIN_OK);
	for (unsigned i = 0; i < CALLERS; i++)
		count += admitted[i];
	assert_int_equal(count, TC_AUTH_ATTEMPTS_PER_NAME);
	/* Refused attempts left nothing behind. */
	assert_number("select sum(attempts) from login_attempts", 2L * TC_AUTH_ATTEMPTS_PER_NAME);
}

static void test_address_at_its_limit_locks_nobody_out(void **state)
{
	struct tc_auth_login login;
	unsigned wait_s = 0;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < TC_AUTH_ATTEMPTS_PER_ADDRESS; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(admit(name, "192.0.2.1", &login, &wait_s), TOCSIN_OK);
		assert_false(login.is_known);
	}
	for (unsigned i = 0; i < 2 * TC_AUTH_ATTEMPTS_PER_NAME; i++)
		assert_int_equal(admit("ada", "192.0.2.1", &login, &wait_s), TOCSIN_E_FULL);
	assert_in_range(wait_s, 1, TC_AUTH_ATTEMPTS_WINDOW_S);
	assert_int_equal(admit("ada", "192.0.2.2", &login, &wait_s), TOCSIN_OK);
}

static void test_success_is_taken_back(void **state)
{
	struct tc_auth_login login;
	struct tc_auth_login_session session;
	unsigned wait_s;

	(void)state;
	assert_int_equal(admit("nobody", "192.0.2.1", &login, &wait_s), TOCSIN_OK);
	for (unsigned i = 0; i < 2 * TC_AUTH_ATTEMPTS_PER_ADDRESS; i++) {
		assert_int_equal(admit("Ada", "192.0.2.1", &login, &wait_s), TOCSIN_OK);
		assert_int_equal(open_session(&login, &session), TOCSIN_OK);
	}
	/* The failure before stays. */
	assert_number("select sum(attempts) from login_attempts", 2);
	assert_number("select count(*) from sessions", TC_AUTH_SESSIONS_PER_USER_MAX);
}

/* The oldest go beyond the bound, and all whose window is over. */
static void test_table_is_bounded(void **state)
{
	struct tc_auth_login login;
	struct tc_auth_login_session session;
	unsigned wait_s;
	long rows = TC_AUTH_ATTEMPTS_MAX + 50;

	(void)state;
	free(tc_test_sql("insert into login_attempts select sha256(n::text::bytea), 1, now() - "
			 "interval '1 minute' from generate_series(1, 100000) n"));
	free(tc_test_sql("insert into login_attempts select sha256(n::text::bytea), 1, now() - "
			 "interval '2 minutes' from generate_series(100001, 100050) n"));
	free(tc_test_sql("analyze login_attempts"));
	for (unsigned i = 0; i < 2000 && rows > TC_AUTH_ATTEMPTS_MAX; i++) {
		assert_int_equal(admit("ada", "", &login, &wait_s), TOCSIN_OK);
		rows = tc_test_sql_number("select count(*) from login_attempts");
		assert_int_equal(open_session(&login, &session), TOCSIN_OK);
	}
	assert_int_equal(rows, TC_AUTH_ATTEMPTS_MAX);
	assert_number("select count(*) from login_attempts where started_at "
		      "< now() - interval '90 seconds'",
		      0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_password_changes_during_log_in, clean),
		cmocka_unit_test_setup(test_log_in_during_password_change, clean),
		cmocka_unit_test_setup(test_new_password_is_all_or_nothing, clean),
		cmocka_unit_test_setup(test_new_password_keeps_one_session, clean),
		cmocka_unit_test_setup(test_at_once, clean),
		cmocka_unit_test_setup(test_address_at_its_limit_locks_nobody_out, clean),
		cmocka_unit_test_setup(test_success_is_taken_back, clean),
		cmocka_unit_test_setup(test_table_is_bounded, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
