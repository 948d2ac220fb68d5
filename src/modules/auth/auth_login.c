/* modules/auth/auth_login.c: see auth_login.h. Rows of login_attempts are taken in one order, the
 * address's before the name's, so that attempts at the same time cannot wait for each other in a circle. */
#include "modules/auth/auth_login.h"

#include "base/memory.h"
#include "modules/auth/auth_role.h"
#include "modules/auth/auth_store.h"
#include "sql_app.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One attempt in so many cleans up after all. */
#define CLEAN_EVERY 64

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

enum subject { SUBJECT_NAME, SUBJECT_ADDRESS };

/* "name:<name>": what an attempt counts as. NULL when memory ran out; owned by the caller. */
static char *make_subject(enum subject subject, const char *text)
{
	char *made = NULL;

	if (asprintf(&made, "%s:%s", subject == SUBJECT_NAME ? "name" : "address", text) < 0)
		return NULL;
	return made;
}

static int run_for(struct tocsin_connection *connection, const struct tc_sql *sql,
		   enum subject subject, const char *text, PGresult **ret_rows,
		   struct tocsin_error *error)
{
	static const char *const limits[] = {
		[SUBJECT_NAME] = TEXT(TC_AUTH_ATTEMPTS_PER_NAME),
		[SUBJECT_ADDRESS] = TEXT(TC_AUTH_ATTEMPTS_PER_ADDRESS),
	};
	TC_FREE char *key = make_subject(subject, text);
	const char *values[] = {key, limits[subject], TEXT(TC_AUTH_ATTEMPTS_WINDOW_S)};

	if (!key)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a log-in");
	return tc_query(connection, sql, values, ret_rows, error);
}

/* --- admitting --- */

struct admission {
	struct tc_auth_login *login;
	const struct tc_sql *find; /* find_login or find_password */
	unsigned wait_s;           /* of the limit that was reached */
};

static int count(struct tocsin_connection *connection, enum subject subject, const char *text,
		 struct admission *admission, struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	int result = run_for(connection, &tc_sql_auth_count_attempt, subject, text, &rows, error);

	if (result || tc_result_is_true(rows, 0, 0))
		return result;
	admission->wait_s = (unsigned)tc_result_get_integer(rows, 0, 1);
	return tocsin_error_set(error, TOCSIN_E_FULL,
				"Too many attempts to log in; try again in %u s",
				admission->wait_s);
}

static int find_user(struct tocsin_connection *connection, const struct admission *admission,
		     char **ret_name, struct tocsin_error *error)
{
	struct tc_auth_login *login = admission->login;
	const char *key = admission->find == &tc_sql_auth_find_login ? login->name : login->user_id;
	TC_RESULT *rows = NULL;
	int result = tc_query(connection, admission->find, &key, &rows, error);

	if (result)
		return result;
	login->is_known = PQntuples(rows) > 0;
	if (!login->is_known)
		return TOCSIN_OK;
	snprintf(login->user_id, sizeof(login->user_id), "%s", PQgetvalue(rows, 0, 0));
	snprintf(login->password_hash, sizeof(login->password_hash), "%s", PQgetvalue(rows, 0, 2));
	login->password_version = tc_result_get_integer(rows, 0, 3);
	*ret_name = strdup(PQgetvalue(rows, 0, 1));
	return *ret_name ? TOCSIN_OK
			 : tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a log-in");
}

static int clean(struct tocsin_connection *connection, struct tocsin_error *error)
{
	static const char *const values[] = {TEXT(TC_AUTH_ATTEMPTS_WINDOW_S),
					     TEXT(TC_AUTH_ATTEMPTS_MAX)};

	if (randombytes_uniform(CLEAN_EVERY) != 0)
		return TOCSIN_OK;
	return tc_query(connection, &tc_sql_auth_clean_attempts, values, NULL, error);
}

static int admit(struct tocsin_connection *connection, void *userdata, struct tocsin_error *error)
{
	struct admission *admission = userdata;
	struct tc_auth_login *login = admission->login;
	TC_FREE char *name = NULL;
	int result = find_user(connection, admission, &name, error);

	if (result == TOCSIN_OK && login->client[0])
		result = count(connection, SUBJECT_ADDRESS, login->client, admission, error);
	if (result == TOCSIN_OK && (login->name || name))
		result = count(connection, SUBJECT_NAME, login->name ? login->name : name,
			       admission, error);
	return result ? result : clean(connection, error);
}

static int run_admission(struct tocsin_pool *pool, struct admission *admission,
			 unsigned *ret_wait_s, struct tocsin_error *error)
{
	int result = tocsin_pool_transact(pool, admit, admission, error);

	if (admission->wait_s)
		*ret_wait_s = admission->wait_s;
	return result;
}

int tc_auth_login_admit(struct tocsin_pool *pool, struct tc_auth_login *login, unsigned *ret_wait_s,
			struct tocsin_error *error)
{
	struct admission admission = {.login = login, .find = &tc_sql_auth_find_login};

	return run_admission(pool, &admission, ret_wait_s, error);
}

int tc_auth_login_admit_again(struct tocsin_pool *pool, struct tc_auth_login *login,
			      unsigned *ret_wait_s, struct tocsin_error *error)
{
	struct admission admission = {.login = login, .find = &tc_sql_auth_find_password};

	login->name = NULL;
	return run_admission(pool, &admission, ret_wait_s, error);
}

static int take_back(struct tocsin_connection *connection, void *userdata,
		     struct tocsin_error *error)
{
	struct admission *admission = userdata;
	struct tc_auth_login *login = admission->login;
	TC_FREE char *found = NULL;
	const char *name = login->name;
	int result = TOCSIN_OK;

	if (!name) {
		result = find_user(connection, admission, &found, error);
		name = found;
	}
	if (result == TOCSIN_OK && login->client[0])
		result = run_for(connection, &tc_sql_auth_uncount_attempt, SUBJECT_ADDRESS,
				 login->client, NULL, error);
	if (result == TOCSIN_OK && name)
		result = run_for(connection, &tc_sql_auth_uncount_attempt, SUBJECT_NAME, name, NULL,
				 error);
	return result;
}

int tc_auth_login_take_back(struct tocsin_pool *pool, struct tc_auth_login *login,
			    struct tocsin_error *error)
{
	struct admission admission = {.login = login, .find = &tc_sql_auth_find_password};

	return tocsin_pool_transact(pool, take_back, &admission, error);
}

/* --- sessions --- */

struct opening {
	const struct tc_auth_login *login;
	const struct tc_auth_session *session;
	char hours[12];
	struct tc_caller caller;
};

static int make_session(struct tocsin_connection *connection, struct opening *opening,
			struct tocsin_error *error)
{
	const struct tc_auth_login *login = opening->login;
	char hash[TC_AUTH_HASH_HEX_SIZE], version[12];
	const char *values[] = {opening->session->key.id, hash, login->user_id, version,
				opening->hours};
	TC_RESULT *rows = NULL;
	int result;

	tc_auth_key_hash_format(&opening->session->key, hash);
	snprintf(version, sizeof(version), "%d", login->password_version);
	result = tc_query(connection, &tc_sql_auth_create_session, values, &rows, error);
	if (result)
		return result;
	if (PQntuples(rows) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND,
					"the user or the password changed during the log-in");
	tc_auth_role_fill_user(&opening->caller, login->user_id, PQgetvalue(rows, 0, 0),
			       PQgetvalue(rows, 0, 1));
	memcpy(opening->caller.session, opening->session->key.id, TC_UUID_SIZE);
	memcpy(opening->caller.csrf, opening->session->csrf, TC_CSRF_SIZE);
	opening->caller.session_ends_ms = strtoull(PQgetvalue(rows, 0, 2), NULL, 10);
	return TOCSIN_OK;
}

static int open_session(struct tocsin_connection *connection, void *userdata,
			struct tocsin_error *error)
{
	struct opening *opening = userdata;
	const struct tc_auth_login *login = opening->login;
	int result = make_session(connection, opening, error);

	if (result == TOCSIN_OK)
		result = tc_query(
			connection, &tc_sql_auth_trim_sessions,
			(const char *[]){login->user_id, TEXT(TC_AUTH_SESSIONS_PER_USER_MAX)}, NULL,
			error);
	if (result == TOCSIN_OK && login->client[0])
		result = run_for(connection, &tc_sql_auth_uncount_attempt, SUBJECT_ADDRESS,
				 login->client, NULL, error);
	if (result == TOCSIN_OK)
		result = run_for(connection, &tc_sql_auth_forget_attempts, SUBJECT_NAME,
				 login->name, NULL, error);
	return result;
}

int tc_auth_login_open(struct tocsin_pool *pool, const struct tc_auth_login *login, unsigned hours,
		       struct tc_auth_login_session *ret_session, struct tocsin_error *error)
{
	struct opening opening = {.login = login};
	struct tc_auth_session session;
	char token[TC_AUTH_TOKEN_SIZE];
	int result = tc_auth_session_new(&session, token, error);

	if (result)
		return result;
	opening.session = &session;
	snprintf(opening.hours, sizeof(opening.hours), "%u", hours);
	result = tocsin_pool_transact(pool, open_session, &opening, error);
	if (result == TOCSIN_OK) {
		ret_session->caller = opening.caller;
		memcpy(ret_session->token, token, sizeof(token));
	}
	sodium_memzero(token, sizeof(token));
	return result;
}

int tc_auth_login_close(struct tocsin_pool *pool, const char *session_id, const char *actor,
			struct tocsin_error *error)
{
	return tc_store_run(pool, &tc_sql_auth_end_session,
			    (const char *[]){session_id, tc_auth_store_actor(actor)}, NULL, error);
}

int tc_auth_login_forgive(struct tocsin_connection *connection, const char *name,
			  struct tocsin_error *error)
{
	return run_for(connection, &tc_sql_auth_forget_attempts, SUBJECT_NAME, name, NULL, error);
}
