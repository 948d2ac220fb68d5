/* modules/alert/source.c: see source.h. Routing keys never travel to the database: statements may end up
 * in its log. */
#include "modules/alert/source.h"

#include "base/macro.h"
#include "base/utf8.h"
#include "core/store.h"
#include "sql_app.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HASH_SIZE     32
#define HASH_HEX_SIZE (2 + 2 * HASH_SIZE + 1) /* \x, digits, NUL */

static_assert(TC_SOURCE_KEY_LENGTH % 2 == 0, "two digits a byte");

/* A key is random, so a fast hash is enough: there is nothing to guess that a slow one would protect. */
static void hash_key(const char *key, char ret_hex[static HASH_HEX_SIZE])
{
	unsigned char hash[HASH_SIZE];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)key, strlen(key), NULL, 0);
	memcpy(ret_hex, "\\x", 2);
	sodium_bin2hex(ret_hex + 2, HASH_HEX_SIZE - 2, hash, sizeof(hash));
}

static int check_name(const char *name, struct tocsin_error *error)
{
	size_t length = strlen(name);

	if (!tc_utf8_is_valid(name, length))
		return tocsin_error_set(error, TOCSIN_E_INVALID, "a source's name must be UTF-8");
	length = tc_utf8_length(name);
	if (length < 1 || length > TC_SOURCE_NAME_MAX)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a source's name must have 1 to %d characters",
					TC_SOURCE_NAME_MAX);
	return TOCSIN_OK;
}

int tc_source_create(struct tocsin_pool *pool, const struct tc_source_request *request,
		     char ret_key[static TC_SOURCE_KEY_SIZE], struct tc_buffer *ret_json,
		     struct tocsin_error *error)
{
	unsigned char random[TC_SOURCE_KEY_LENGTH / 2];
	char id[TC_UUID_SIZE], hex[HASH_HEX_SIZE], key[TC_SOURCE_KEY_SIZE];
	const char *const values[] = {id, request->name, hex, request->actor};
	TC_RESULT *rows = NULL;
	int result = check_name(request->name, error);

	if (result)
		return result;
	if (sodium_init() < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(key, sizeof(key), random, sizeof(random));
	hash_key(key, hex);
	tc_uuid_new(id);
	result = tc_store_run(pool, &tc_sql_alert_create_source, values, &rows, error);
	if (!result && PQntuples(rows) == 0)
		result = tocsin_error_set(error, TOCSIN_E_EXISTS, "The name is taken");
	if (!result && ret_json)
		result = tc_store_take(rows, 0, ret_json, error);
	if (!result)
		memcpy(ret_key, key, sizeof(key));
	sodium_memzero(random, sizeof(random));
	sodium_memzero(key, sizeof(key));
	return result;
}

int tc_source_list(struct tocsin_pool *pool, unsigned limit, const char *cursor,
		   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char limit_text[12];
	const char *const values[] = {limit_text, cursor};
	TC_RESULT *rows = NULL;
	int result;

	assert(limit >= 1 && limit <= TC_SOURCE_LIST_MAX);
	if (cursor && !tc_uuid_is_valid(cursor))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"cursor must be what nextCursor said");
	snprintf(limit_text, sizeof(limit_text), "%u", limit);
	result = tc_store_run(pool, &tc_sql_alert_list_sources, values, &rows, error);
	return result ? result : tc_store_take(rows, 0, ret_json, error);
}

int tc_source_revoke(struct tocsin_pool *pool, const char *id, const char *actor,
		     struct tocsin_error *error)
{
	const char *const values[] = {id, actor};
	TC_RESULT *rows = NULL;
	int result;

	if (!tc_uuid_is_valid(id))
		return tocsin_error_set(error, TOCSIN_E_INVALID, "a source's id is a UUID");
	result = tc_store_run(pool, &tc_sql_alert_revoke_source, values, &rows, error);
	if (result)
		return result;
	if (PQntuples(rows) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no source %s", id);
	return TOCSIN_OK;
}

enum { FOUND_ID, FOUND_NAME, FOUND_IS_STALE, FOUND_SYSTEM };

static int read_source(const PGresult *rows, struct tc_source *ret_source,
		       struct tocsin_error *error)
{
	const char *system = tc_result_get(rows, 0, FOUND_SYSTEM);
	struct tc_source source = {0};

	snprintf(source.id, sizeof(source.id), "%s", PQgetvalue(rows, 0, FOUND_ID));
	snprintf(source.name, sizeof(source.name), "%s", PQgetvalue(rows, 0, FOUND_NAME));
	if (system && !(source.alert_system = strdup(system)))
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a source");
	*ret_source = source;
	return TOCSIN_OK;
}

int tc_source_find(struct tocsin_pool *pool, const char *routing_key, const char *dedup_key,
		   struct tc_source *ret_source, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	char hex[HASH_HEX_SIZE];
	const char *const values[] = {hex, dedup_key};
	TC_RESULT *rows = NULL;
	const char *id;
	int result;

	hash_key(routing_key, hex);
	result = tocsin_pool_acquire(pool, &connection, error);
	if (!result)
		result = tc_query(connection, &tc_sql_alert_find_source, values, &rows, error);
	if (result)
		return result;
	if (PQntuples(rows) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND,
					"no working source has this key");
	id = PQgetvalue(rows, 0, FOUND_ID);
	if (tc_result_is_true(rows, 0, FOUND_IS_STALE))
		result = tc_query(connection, &tc_sql_alert_touch_source, &id, NULL, error);
	return result ? result : read_source(rows, ret_source, error);
}
