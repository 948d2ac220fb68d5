/* modules/auth/auth_user.c: see auth_user.h. */
#include "modules/auth/auth_user.h"

#include "base/utf8.h"
#include "base/uuid.h"
#include "modules/auth/auth_login.h"
#include "modules/auth/auth_store.h"
#include "sql_app.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tc_auth_user_check_name(const char *name, struct tocsin_error *error)
{
	size_t length = strlen(name), characters;
	bool is_plain = tc_utf8_is_valid(name, length);

	for (size_t i = 0; is_plain && i < length; i++)
		is_plain = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
	characters = is_plain ? tc_utf8_length(name) : 0;
	if (characters < 1 || characters > TC_AUTH_USER_NAME_MAX || name[0] == ' ' ||
	    name[length - 1] == ' ')
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"a user's name must have 1 to %d characters, none of them a "
			"control character, without spaces around them",
			TC_AUTH_USER_NAME_MAX);
	return TOCSIN_OK;
}

static int check_request(const struct tc_auth_user_request *request, struct tocsin_error *error)
{
	int result = request->name ? tc_auth_user_check_name(request->name, error) : TOCSIN_OK;

	if (result == TOCSIN_OK && request->role && !tc_auth_is_role(request->role))
		result = tocsin_error_set(error, TOCSIN_E_INVALID,
					  "a user's role must be admin, manager or viewer");
	return result;
}

/* In words of our own: the database would name its index. */
static int name_conflict(int result, struct tocsin_error *error)
{
	if (result != TOCSIN_E_EXISTS)
		return result;
	return tocsin_error_set(error, TOCSIN_E_EXISTS, "There is a user of that name already");
}

static int check_id(const char *id, struct tocsin_error *error)
{
	if (tc_uuid_is_valid(id))
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_INVALID, "a user's id is a UUID");
}

static int not_found(const char *id, struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "there is no user %s", id);
}

int tc_auth_user_create(struct tocsin_pool *pool, const struct tc_auth_user_request *request,
			struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *actor = tc_auth_store_actor(request->actor);
	char id[TC_UUID_SIZE];
	TC_RESULT *rows = NULL;
	int result = check_request(request, error);

	if (result)
		return result;
	tc_uuid_new(id);
	result = tc_store_run(
		pool, &tc_sql_auth_create_user,
		(const char *[]){id, request->name, request->role, request->password_hash, actor},
		&rows, error);
	if (result)
		return name_conflict(result, error);
	return ret_json ? tc_store_take(rows, 0, ret_json, error) : TOCSIN_OK;
}

struct update {
	const char *id;
	const struct tc_auth_user_request *request;
	PGresult *rows; /* of update_user */
};

static int update(struct tocsin_connection *connection, void *userdata, struct tocsin_error *error)
{
	struct update *update = userdata;
	const struct tc_auth_user_request *request = update->request;
	const char *values[] = {update->id,
				request->name,
				request->role,
				request->password_hash,
				tc_auth_store_actor(request->actor),
				request->kept_session};
	TC_RESULT *locked = NULL;
	int result = tc_query(connection, &tc_sql_auth_lock_user, values, &locked, error);

	if (result)
		return result;
	if (PQntuples(locked) == 0)
		return not_found(update->id, error);
	if (request->password_version &&
	    request->password_version != tc_result_get_integer(locked, 0, 0))
		return tocsin_error_set(error, TOCSIN_E_EXISTS,
					"The password was changed by somebody else meanwhile");
	PQclear(tc_take(update->rows)); /* of an attempt that was rolled back */
	result = name_conflict(
		tc_query(connection, &tc_sql_auth_update_user, values, &update->rows, error),
		error);
	if (result || !request->password_hash)
		return result;
	return tc_auth_login_forgive(connection, PQgetvalue(update->rows, 0, 1), error);
}

int tc_auth_user_update(struct tocsin_pool *pool, const char *id,
			const struct tc_auth_user_request *request, struct tc_buffer *ret_json,
			struct tocsin_error *error)
{
	struct update context = {.id = id, .request = request};
	int result = check_id(id, error);

	if (result == TOCSIN_OK)
		result = check_request(request, error);
	if (result == TOCSIN_OK)
		result = tocsin_pool_transact(pool, update, &context, error);
	if (result == TOCSIN_OK && ret_json)
		result = tc_store_take(context.rows, 0, ret_json, error);
	PQclear(context.rows);
	return result;
}

int tc_auth_user_delete(struct tocsin_pool *pool, const char *id, const char *actor,
			struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	int result = check_id(id, error);

	if (result == TOCSIN_OK)
		result = tc_store_run(pool, &tc_sql_auth_delete_user,
				      (const char *[]){id, tc_auth_store_actor(actor)}, &rows,
				      error);
	if (result == TOCSIN_OK && PQntuples(rows) == 0)
		return not_found(id, error);
	return result;
}

int tc_auth_user_list(struct tocsin_pool *pool, unsigned limit, const char *cursor,
		      struct tc_buffer *ret_json, struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	char limit_text[12];
	int result =
		tc_auth_store_check_page(limit, TC_AUTH_USER_LIST_MAX, cursor, limit_text, error);

	if (result == TOCSIN_OK)
		result = tc_store_run(pool, &tc_sql_auth_list_users,
				      (const char *[]){limit_text, cursor}, &rows, error);
	return result ? result : tc_store_take(rows, 0, ret_json, error);
}

int tc_auth_user_find(struct tocsin_pool *pool, const char *name, char ret_id[static 37],
		      struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	int result = tc_auth_user_check_name(name, error);

	if (result == TOCSIN_OK)
		result = tc_store_run(pool, &tc_sql_auth_find_login, &name, &rows, error);
	if (result == TOCSIN_OK && PQntuples(rows) == 0)
		result = tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "there is no user %.200s",
					  name);
	if (result == TOCSIN_OK)
		snprintf(ret_id, TC_UUID_SIZE, "%s", PQgetvalue(rows, 0, 0));
	return result;
}
