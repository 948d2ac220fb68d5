/* Keys in the database: making, listing, revoking, and the first admin key. No service needed, so that the
 * command line works on a plain pool. Secrets never travel to the database, not even to be put into JSON:
 * statements may end up in its log. */
#include "modules/auth/auth_store.h"
#include "modules/auth/auth_key.h"

#include "base/utf8.h"
#include "sql_app.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

int tc_auth_store_check_page(unsigned limit, unsigned limit_max, const char *cursor,
			     char ret_limit[static 12], struct tocsin_error *error)
{
	if (limit < 1 || limit > limit_max)
		return tocsin_error_set(error, TOCSIN_E_INVALID, "limit must be 1 to %u",
					limit_max);
	if (cursor && !tc_uuid_is_valid(cursor))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"cursor must be what nextCursor said");
	snprintf(ret_limit, 12, "%u", limit);
	return TOCSIN_OK;
}

static int check_request(const struct tc_auth_key_request *request, struct tocsin_error *error)
{
	size_t length = strlen(request->name);

	if (!tc_utf8_is_valid(request->name, length))
		return tocsin_error_set(error, TOCSIN_E_INVALID, "a key's name must be UTF-8");
	length = tc_utf8_length(request->name);
	if (length < 1 || length > TC_AUTH_NAME_MAX)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a key's name must have 1 to %d characters",
					TC_AUTH_NAME_MAX);
	if (!tc_auth_is_role(request->role))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a key's role must be admin, manager or viewer");
	return TOCSIN_OK;
}

/* --- making --- */

static void key_values(const char *values[static 5], const struct tc_auth_key_request *request,
		       const struct tc_auth_key *key, char hex[static TC_AUTH_HASH_HEX_SIZE])
{
	tc_auth_key_hash_format(key, hex);
	values[0] = key->id;
	values[1] = request->name;
	values[2] = request->role;
	values[3] = hex;
	values[4] = tc_auth_store_actor(request->actor);
}

int tc_auth_create_key(struct tocsin_pool *pool, const struct tc_auth_key_request *request,
		       char ret_key[static TC_AUTH_KEY_SIZE], struct tc_buffer *ret_json,
		       struct tocsin_error *error)
{
	char text[TC_AUTH_KEY_SIZE], hex[TC_AUTH_HASH_HEX_SIZE];
	struct tc_auth_key key;
	const char *values[5];
	TC_RESULT *rows = NULL;
	int result;

	result = check_request(request, error);
	if (!result)
		result = tc_auth_key_new(&key, text, error);
	if (result)
		return result;
	key_values(values, request, &key, hex);
	result = tc_store_run(pool, &tc_sql_auth_create_key, values, &rows, error);
	if (!result && ret_json)
		result = tc_store_take(rows, 0, ret_json, error);
	if (!result)
		memcpy(ret_key, text, sizeof(text));
	sodium_memzero(text, sizeof(text));
	return result;
}

/* --- listing and revoking --- */

int tc_auth_list_keys(struct tocsin_pool *pool, unsigned limit, const char *cursor,
		      struct tc_buffer *ret_json, struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	char limit_text[12];
	int result;

	result = tc_auth_store_check_page(limit, TC_AUTH_LIST_MAX, cursor, limit_text, error);
	if (result)
		return result;
	result = tc_store_run(pool, &tc_sql_auth_list_keys, (const char *[]){limit_text, cursor},
			      &rows, error);
	return result ? result : tc_store_take(rows, 0, ret_json, error);
}

int tc_auth_revoke_key(struct tocsin_pool *pool, const char *id, const char *actor,
		       struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	int result;

	if (!tc_uuid_is_valid(id))
		return tocsin_error_set(error, TOCSIN_E_INVALID, "a key's id is a UUID");
	result = tc_store_run(pool, &tc_sql_auth_revoke_key,
			      (const char *[]){id, tc_auth_store_actor(actor)}, &rows, error);
	if (result)
		return result;
	if (PQntuples(rows) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "there is no key %s", id);
	return TOCSIN_OK;
}

/* --- the first admin key --- */

struct ensure {
	struct tc_auth_key key;
	bool made;
};

/* Under a lock, so that of many nodes at their first start one makes the key. */
static int make_admin(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	static const struct tc_auth_key_request request = {.name = "first admin", .role = "admin"};
	struct ensure *ensure = userdata;
	char hex[TC_AUTH_HASH_HEX_SIZE];
	const char *values[5];
	TC_RESULT *rows = NULL;
	int result;

	ensure->made = false;
	result = tc_query(connection, &tc_sql_auth_lock_admin, NULL, NULL, error);
	if (!result)
		result = tc_query(connection, &tc_sql_auth_count_admin, NULL, &rows, error);
	if (result || strcmp(PQgetvalue(rows, 0, 0), "0") != 0)
		return result;
	key_values(values, &request, &ensure->key, hex);
	result = tc_query(connection, &tc_sql_auth_create_key, values, NULL, error);
	ensure->made = !result;
	return result;
}

/* The key the operator gave must be a working admin key afterwards; what is there is never changed. */
static int install_admin(struct tocsin_connection *connection, void *userdata,
			 struct tocsin_error *error)
{
	const struct tc_auth_key *key = userdata;
	char hex[TC_AUTH_HASH_HEX_SIZE];
	unsigned char hash[TC_AUTH_HASH_SIZE];
	TC_RESULT *rows = NULL;
	int result;

	tc_auth_key_hash_format(key, hex);
	result = tc_query(connection, &tc_sql_auth_install_admin, (const char *[]){key->id, hex},
			  NULL, error);
	if (!result)
		result = tc_query(connection, &tc_sql_auth_find_key, (const char *[]){key->id},
				  &rows, error);
	if (result)
		return result;
	if (PQntuples(rows) == 0)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"TOCSIN_ADMIN_KEY is a key that was revoked; give another one");
	if (strcmp(PQgetvalue(rows, 0, 1), "admin") != 0)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"TOCSIN_ADMIN_KEY is a key whose role is not admin");
	if (!tc_auth_key_hash_parse(PQgetvalue(rows, 0, 2), hash) ||
	    !tc_auth_key_is_equal(hash, key->hash))
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"TOCSIN_ADMIN_KEY has the id of another key; give one with a new id");
	return TOCSIN_OK;
}

int tc_auth_ensure_admin(struct tocsin_pool *pool, const char *given,
			 char ret_key[static TC_AUTH_KEY_SIZE], struct tocsin_error *error)
{
	char text[TC_AUTH_KEY_SIZE];
	struct ensure ensure;
	int result;

	if (given) {
		if (!tc_auth_key_parse(given, &ensure.key))
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"TOCSIN_ADMIN_KEY must have the form %s",
						TC_AUTH_KEY_FORM);
		result = tocsin_pool_transact(pool, install_admin, &ensure.key, error);
		if (!result)
			ret_key[0] = '\0';
		return result;
	}
	result = tc_auth_key_new(&ensure.key, text, error);
	if (!result)
		result = tocsin_pool_transact(pool, make_admin, &ensure, error);
	if (!result && ensure.made)
		memcpy(ret_key, text, sizeof(text));
	else if (!result)
		ret_key[0] = '\0';
	sodium_memzero(text, sizeof(text));
	return result;
}
