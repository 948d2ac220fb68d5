/* Who calls: the keys a node knows, then the database. The model is in auth.h.
 *
 * Memory is trusted only while hints are connected: else a revoke elsewhere might not be heard. After
 * a reconnect everything is forgotten. */
#include "modules/auth/auth.h"

#include "base/clock.h"
#include "core/app.h"
#include "core/hints.h"
#include "modules/auth/auth_cache.h"
#include "pg/query.h"
#include "sql_app.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tc_auth {
	struct tocsin_pool *pool; /* borrowed */
	struct tc_hints *hints;   /* borrowed; NULL: none, nothing is remembered */
	struct tc_auth_cache cache;
};

/* What everybody may, with or without a key. */
#define DEFAULT_RULES (TC_RULE_INCIDENT_READ | TC_RULE_SYSTEM_READ)
#define MANAGER_RULES                                                                              \
	(DEFAULT_RULES | TC_RULE_INCIDENT_MANAGE | TC_RULE_SYSTEM_MANAGE | TC_RULE_SOURCE_MANAGE)

static const struct {
	const char *name;
	uint32_t rules;
} roles[] = {
	{"admin", MANAGER_RULES | TC_RULE_KEY_MANAGE | TC_RULE_USER_MANAGE},
	{"manager", MANAGER_RULES},
	{"viewer", DEFAULT_RULES},
};

const char *const *tc_auth_roles(void)
{
	static const char *const names[] = {"admin", "manager", "viewer", NULL};

	static_assert(TC_ARRAY_LENGTH(names) == TC_ARRAY_LENGTH(roles) + 1,
		      "every role has its name");
	return names;
}

/* A role this binary does not know has no rules: a newer node may have made it. */
static uint32_t find_rules(const char *role)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(roles); i++)
		if (strcmp(roles[i].name, role) == 0)
			return roles[i].rules;
	return TC_RULE_NONE;
}

static void forget(const char *id, void *userdata)
{
	struct tc_auth *auth = userdata;

	tc_auth_cache_drop(&auth->cache, id);
}

int tc_auth_new(struct tc_auth **ret_auth, struct tocsin_pool *work_pool, struct tc_hints *hints,
		struct tocsin_error *error)
{
	TC_CLEANUP(tc_auth_free) struct tc_auth *auth = NULL;
	int result;

	if (sodium_init() < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	auth = calloc(1, sizeof(*auth));
	if (!auth)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the keys' cache");
	auth->pool = work_pool;
	auth->hints = hints;
	tc_auth_cache_init(&auth->cache);
	if (hints) {
		result = tc_hints_subscribe(hints, "auth", forget, auth, error);
		if (result)
			return result;
	}
	*ret_auth = tc_take(auth);
	return TOCSIN_OK;
}

struct tc_auth *tc_auth_free(struct tc_auth *auth)
{
	if (auth) {
		tc_auth_cache_deinit(&auth->cache);
		free(auth);
	}
	return NULL;
}

/* The longest name, 100 characters, may have more bytes than fit: it is cut between characters. */
static void copy_name(char *ret_text, size_t size, const char *name)
{
	size_t length = strlen(name);

	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(ret_text, name, length);
	ret_text[length] = '\0';
}

/* Asks the database. REFUSED if there is no such key, it was revoked, or the secret is another. */
static enum tc_auth_answer query_key(struct tocsin_connection *connection,
				     const struct tc_auth_key *key, struct tc_caller *ret_caller,
				     struct tocsin_error *error)
{
	const char *values[] = {key->id};
	unsigned char hash[TC_AUTH_HASH_SIZE];
	TC_RESULT *result = NULL;

	if (tc_query(connection, &tc_sql_auth_find_key, values, &result, error))
		return TC_AUTH_FAILED;
	if (PQntuples(result) == 0 || !tc_auth_key_hash_parse(PQgetvalue(result, 0, 2), hash) ||
	    !tc_auth_key_is_equal(hash, key->hash))
		return TC_AUTH_REFUSED;
	if (tc_query(connection, &tc_sql_auth_touch_key, values, NULL, error))
		return TC_AUTH_FAILED;

	*ret_caller = (struct tc_caller){.rules = find_rules(PQgetvalue(result, 0, 1))};
	snprintf(ret_caller->id, sizeof(ret_caller->id), "key:%s", key->id);
	copy_name(ret_caller->name, sizeof(ret_caller->name), PQgetvalue(result, 0, 0));
	return TC_AUTH_OK;
}

enum tc_auth_answer tc_auth_check(struct tc_auth *auth, const char *authorization, bool may_block,
				  struct tc_caller *ret_caller, struct tocsin_error *error)
{
	struct tocsin_connection *connection;
	struct tc_auth_key key;
	struct tc_caller caller;
	enum tc_auth_answer answer;
	uint64_t generation;

	if (!authorization) {
		*ret_caller = (struct tc_caller){.rules = DEFAULT_RULES, .is_anonymous = true};
		return TC_AUTH_OK;
	}
	if (!tc_auth_key_parse_header(authorization, &key))
		return TC_AUTH_REFUSED;
	if (auth->hints && tc_hints_is_connected(auth->hints) &&
	    tc_auth_cache_get(&auth->cache, &key, tc_clock_ms(), ret_caller))
		return TC_AUTH_OK;
	if (!may_block)
		return TC_AUTH_AGAIN;

	generation = tc_auth_cache_generation(&auth->cache);
	if (tocsin_pool_acquire(auth->pool, &connection, error))
		return TC_AUTH_FAILED;
	answer = query_key(connection, &key, &caller, error);
	tocsin_pool_release(connection);
	if (answer != TC_AUTH_OK)
		return answer;
	if (auth->hints && tc_hints_is_connected(auth->hints))
		tc_auth_cache_put(&auth->cache, &key, &caller, generation,
				  tc_clock_ms() + TC_AUTH_CACHE_TTL_MS);
	*ret_caller = caller;
	return TC_AUTH_OK;
}

enum tc_auth_answer tc_auth_authenticate(struct tc_app *app,
					 const struct tc_credentials *credentials, bool may_block,
					 struct tc_caller *ret_caller, struct tocsin_error *error)
{
	return tc_auth_check(app->auth, credentials->authorization, may_block, ret_caller, error);
}
