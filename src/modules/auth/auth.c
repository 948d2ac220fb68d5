/* Who calls: the keys and sessions a node knows, then the database. The model is in auth.h.
 *
 * Memory is trusted only while hints are connected: else a revoke elsewhere might not be heard. After
 * a reconnect everything is forgotten.
 *
 * Locking: the cache has its own; `lock` guards the hasher, which goes before the server does. */
#include "modules/auth/auth.h"

#include "base/clock.h"
#include "base/thread.h"
#include "core/app.h"
#include "core/outbox/hints.h"
#include "core/procedure/idempotency.h"
#include "modules/auth/auth_cache.h"
#include "modules/auth/auth_role.h"
#include "modules/auth/auth_session.h"
#include "pg/query.h"
#include "sql_app.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* One thread, so that log-ins take one core at most; and not more waiting than are done in a few seconds. */
#define HASHER_THREADS   1
#define HASHER_QUEUE_MAX 64

struct tc_auth {
	struct tc_auth_options options;
	struct tc_auth_cache cache;
	pthread_mutex_t lock;
	struct tc_executor *hasher; /* under the lock; NULL once stopped */
};

/* Of a user all sessions are meant, which nobody here can tell from others. */
static void forget(const char *id, void *userdata)
{
	bool is_user = id && strncmp(id, "user:", strlen("user:")) == 0;

	tc_auth_forget(userdata, is_user ? NULL : id);
}

void tc_auth_forget(struct tc_auth *auth, const char *id)
{
	tc_auth_cache_drop(&auth->cache, id);
}

static void forget_all(struct tc_call *call)
{
	tc_auth_forget(tc_call_app(call)->auth, NULL);
}

void tc_auth_forget_later(struct tc_call *call)
{
	tc_call_when_committed(call, forget_all);
}

int tc_auth_new(struct tc_auth **ret_auth, const struct tc_auth_options *options,
		struct tocsin_error *error)
{
	TC_CLEANUP(tc_auth_free) struct tc_auth *auth = NULL;
	int result;

	if (sodium_init() < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	auth = calloc(1, sizeof(*auth));
	if (!auth)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the keys' cache");
	auth->options = *options;
	tc_auth_cache_init(&auth->cache);
	tc_mutex_init(&auth->lock);
	result =
		tc_executor_new(&auth->hasher, "password", HASHER_THREADS, HASHER_QUEUE_MAX, error);
	if (result)
		return result;
	if (options->hints) {
		result = tc_hints_subscribe(options->hints, "auth", forget, auth, error);
		if (result)
			return result;
	}
	*ret_auth = tc_take(auth);
	return TOCSIN_OK;
}

void tc_auth_stop(struct tc_auth *auth)
{
	struct tc_executor *hasher;

	tc_mutex_lock(&auth->lock);
	hasher = tc_take(auth->hasher);
	tc_mutex_unlock(&auth->lock);
	tc_executor_free(hasher);
}

struct tc_auth *tc_auth_free(struct tc_auth *auth)
{
	if (auth) {
		tc_auth_stop(auth);
		tc_auth_cache_deinit(&auth->cache);
		pthread_mutex_destroy(&auth->lock);
		free(auth);
	}
	return NULL;
}

const struct tc_auth_options *tc_auth_get_options(const struct tc_auth *auth)
{
	return &auth->options;
}

int tc_auth_try_submit(struct tc_auth *auth, struct tc_call *call, void (*run)(struct tc_job *job))
{
	tc_idempotency_leave(call);
	TC_LOCKED(&auth->lock);

	return auth->hasher ? tc_call_try_submit(call, auth->hasher, run) : TOCSIN_E_CLOSED;
}

void tc_auth_submit(struct tc_auth *auth, struct tc_call *call, void (*run)(struct tc_job *job))
{
	int result = tc_auth_try_submit(auth, call, run);

	if (result)
		tc_call_reply_busy(call, result);
}

/* --- asking the database --- */

/* REFUSED if there is no such key, it was revoked, or the secret is another. */
static enum tc_auth_answer query_key(struct tocsin_connection *connection,
				     const struct tc_auth_key *key, struct tc_caller *ret_caller,
				     uint64_t *ret_left_ms, struct tocsin_error *error)
{
	const char *values[] = {key->id};
	unsigned char hash[TC_AUTH_HASH_SIZE];
	TC_RESULT *rows = NULL;

	if (tc_query(connection, &tc_sql_auth_find_key, values, &rows, error))
		return TC_AUTH_FAILED;
	if (PQntuples(rows) == 0 || !tc_auth_key_hash_parse(PQgetvalue(rows, 0, 2), hash) ||
	    !tc_auth_key_is_equal(hash, key->hash))
		return TC_AUTH_REFUSED;
	if (tc_query(connection, &tc_sql_auth_touch_key, values, NULL, error))
		return TC_AUTH_FAILED;

	tc_auth_role_fill_key(ret_caller, key->id, PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1));
	*ret_left_ms = TC_AUTH_CACHE_TTL_MS;
	return TC_AUTH_OK;
}

/* REFUSED if there is no such session, it has ended, or the secret is another. */
static enum tc_auth_answer query_session(struct tocsin_connection *connection,
					 const struct tc_auth_key *key,
					 struct tc_caller *ret_caller, uint64_t *ret_left_ms,
					 struct tocsin_error *error)
{
	const char *values[] = {key->id};
	unsigned char hash[TC_AUTH_HASH_SIZE];
	TC_RESULT *rows = NULL;

	if (tc_query(connection, &tc_sql_auth_find_session, values, &rows, error))
		return TC_AUTH_FAILED;
	if (PQntuples(rows) == 0 || !tc_auth_key_hash_parse(PQgetvalue(rows, 0, 3), hash) ||
	    !tc_auth_key_is_equal(hash, key->hash))
		return TC_AUTH_REFUSED;
	tc_auth_role_fill_user(ret_caller, PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1),
			       PQgetvalue(rows, 0, 2));
	memcpy(ret_caller->session, key->id, sizeof(key->id));
	ret_caller->session_ends_ms = strtoull(PQgetvalue(rows, 0, 4), NULL, 10);
	*ret_left_ms = TC_MIN(strtoull(PQgetvalue(rows, 0, 5), NULL, 10), TC_AUTH_CACHE_TTL_MS);
	return TC_AUTH_OK;
}

/* Memory first, then, if that may be, the database. */
static enum tc_auth_answer find(struct tc_auth *auth, bool is_session,
				const struct tc_auth_key *key, bool may_block,
				struct tc_caller *ret_caller, struct tocsin_error *error)
{
	const struct tc_auth_options *options = &auth->options;
	struct tocsin_connection *connection;
	struct tc_caller caller;
	enum tc_auth_answer answer;
	uint64_t generation, left_ms = 0;

	if (options->hints && tc_hints_is_connected(options->hints) &&
	    tc_auth_cache_get(&auth->cache, key, tc_clock_ms(), &caller) &&
	    !caller.session[0] == !is_session) {
		*ret_caller = caller;
		return TC_AUTH_OK;
	}
	if (!may_block)
		return TC_AUTH_AGAIN;

	generation = tc_auth_cache_generation(&auth->cache);
	if (tocsin_pool_acquire(options->work_pool, &connection, error))
		return TC_AUTH_FAILED;
	answer = is_session ? query_session(connection, key, &caller, &left_ms, error)
			    : query_key(connection, key, &caller, &left_ms, error);
	tocsin_pool_release(connection);
	if (answer != TC_AUTH_OK)
		return answer;
	if (options->hints && tc_hints_is_connected(options->hints))
		tc_auth_cache_put(&auth->cache, key, &caller, generation, tc_clock_ms() + left_ms);
	*ret_caller = caller;
	return TC_AUTH_OK;
}

/* --- who calls --- */

static enum tc_auth_answer fill_anonymous(const struct tc_auth *auth, struct tc_caller *ret_caller)
{
	*ret_caller = (struct tc_caller){
		.rules = auth->options.anonymous_read ? TC_AUTH_DEFAULT_RULES : TC_RULE_NONE,
		.is_anonymous = true};
	return TC_AUTH_OK;
}

/* A session that ended makes nobody of its owner, and is no mistake: the browser sends it until the next
 * log-in, and may read meanwhile what everybody may. */
static enum tc_auth_answer check_session(struct tc_auth *auth,
					 const struct tc_credentials *credentials, bool may_block,
					 struct tc_caller *ret_caller, struct tocsin_error *error)
{
	bool is_tls = auth->options.cookie_secure || tc_auth_is_tls(credentials->protocol);
	struct tc_auth_session session;
	enum tc_auth_answer answer;

	if (!credentials->cookie || !tc_auth_session_parse(credentials->cookie, is_tls, &session))
		return fill_anonymous(auth, ret_caller);
	answer = find(auth, true, &session.key, may_block, ret_caller, error);
	if (answer == TC_AUTH_REFUSED)
		answer = fill_anonymous(auth, ret_caller);
	if (answer != TC_AUTH_OK)
		return answer;
	ret_caller->has_secure_cookie = session.is_secure;
	if (ret_caller->is_anonymous)
		return TC_AUTH_OK;
	memcpy(ret_caller->csrf, session.csrf, sizeof(session.csrf));
	return tc_auth_session_is_meant(&session, credentials) ? TC_AUTH_OK : TC_AUTH_FORGED;
}

enum tc_auth_answer tc_auth_check(struct tc_auth *auth, const struct tc_credentials *credentials,
				  bool may_block, struct tc_caller *ret_caller,
				  struct tocsin_error *error)
{
	struct tc_auth_key key;

	if (!credentials->authorization)
		return check_session(auth, credentials, may_block, ret_caller, error);
	if (!tc_auth_key_parse_header(credentials->authorization, &key))
		return TC_AUTH_REFUSED;
	return find(auth, false, &key, may_block, ret_caller, error);
}

enum tc_auth_answer tc_auth_authenticate(struct tc_app *app,
					 const struct tc_credentials *credentials, bool may_block,
					 struct tc_caller *ret_caller, struct tocsin_error *error)
{
	return tc_auth_check(app->auth, credentials, may_block, ret_caller, error);
}
