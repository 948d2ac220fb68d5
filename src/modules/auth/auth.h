/* modules/auth/auth.h: API keys, sessions, and who a caller is.
 *
 * Model. A key is the text tocsin_<uuid>_<secret>: 32 random bytes as 43 characters of base64url. The
 * database holds only a hash. A key has a role, a role has rules (core/procedure/procedure.h). A node keeps the keys
 * it verified in memory, so that a request needs no query; a revoke, by any node or the command line,
 * tells every node in its transaction (NOTIFY), and a remembered key lives TC_AUTH_CACHE_TTL_MS at most.
 *
 * Sessions are the same with a cookie in the place of the key (auth_session.h), and a user (auth_user.h) who logs
 * in (auth_login.h) in the place of its maker. A log-out, a new password, another role, a deletion are heard
 * in the same way.
 *
 * Threads: everything here may be called from any thread. */
#pragma once

#include "base/buffer.h"
#include "base/macro.h"
#include "core/procedure/procedure.h"
#include <tocsin/pool.h>

struct tc_auth;
struct tc_hints;

/* "tocsin_", a UUID, "_", 43 characters, NUL. */
#define TC_AUTH_KEY_SIZE     (7 + 36 + 1 + 43 + 1)
#define TC_AUTH_KEY_FORM     "tocsin_<uuid>_<43 characters of base64url>"
#define TC_AUTH_CACHE_TTL_MS 30000u
#define TC_AUTH_NAME_MAX     100 /* characters */
#define TC_AUTH_LIST_MAX     500

struct tc_auth_options {
	struct tocsin_pool *work_pool; /* borrowed; must outlive the service */
	struct tc_hints *hints;        /* borrowed; NULL: none, nothing is remembered */
	bool anonymous_read;           /* everybody may read what is public */
	bool cookie_secure;     /* browsers send the cookie by TLS only, however the log-in came */
	bool trust_proxy;       /* X-Forwarded-For says who a client is */
	unsigned session_hours; /* a session ends so long after its log-in */
};

/* Starts the thread that hashes passwords. Hints cannot be unsubscribed from, so free them before the
 * service. Does not block. */
int tc_auth_new(struct tc_auth **ret_auth, const struct tc_auth_options *options,
		struct tocsin_error *error);
/* Finishes the passwords that are being hashed; calls that bring one later get 503. Before the work executor
 * goes, which they go on to. Blocks. */
void tc_auth_stop(struct tc_auth *auth);
/* NULL allowed, returns NULL. */
struct tc_auth *tc_auth_free(struct tc_auth *auth);
TC_DEFINE_CLEANUP(struct tc_auth *, tc_auth_free);

const struct tc_auth_options *tc_auth_get_options(const struct tc_auth *auth); /* borrowed */

/* The tc_authenticate_fn of the router. With `may_block` false it looks in memory only, and says
 * TC_AUTH_AGAIN for what only the database knows. */
enum tc_auth_answer tc_auth_authenticate(struct tc_app *app,
					 const struct tc_credentials *credentials, bool may_block,
					 struct tc_caller *ret_caller, struct tocsin_error *error);

/* The same on the service itself. */
enum tc_auth_answer tc_auth_check(struct tc_auth *auth, const struct tc_credentials *credentials,
				  bool may_block, struct tc_caller *ret_caller,
				  struct tocsin_error *error);

/* Forgets a key or session, or all with NULL, on this node at once; the others hear of it from the database. */
void tc_auth_forget(struct tc_auth *auth, const char *id);

/* When the call has committed, this node forgets everybody at once. */
void tc_auth_forget_later(struct tc_call *call);

/* A key or a session, and the role its owner was taken to have. */
struct tc_auth_holder {
	char id[37];
	const char *role; /* constant; NULL: none that this program knows */
};

typedef void (*tc_auth_gone_fn)(const char *id, void *userdata);

/* Tells `gone`, on this thread, of each of the holders that is no longer what it was taken for: the key was revoked,
 * the session ended, the user has another role. For what was not heard of; one query, however many they
 * are. Blocks. */
int tc_auth_find_gone(struct tocsin_pool *pool, const struct tc_auth_holder *holders, size_t count,
		      tc_auth_gone_fn gone, void *userdata, struct tocsin_error *error);

/* Goes on in `run` on the thread that hashes passwords; answers 503 if too many wait for it. A call with an
 * Idempotency-Key leaves its transaction for that, in which nothing may have been done; `run` brings it back by
 * tc_idempotency_rejoin. */
void tc_auth_submit(struct tc_auth *auth, struct tc_call *call, void (*run)(struct tc_job *job));
/* The same, but for the answer: tc_call_try_submit. */
int tc_auth_try_submit(struct tc_auth *auth, struct tc_call *call, void (*run)(struct tc_job *job));

/* --- keys; also for the command line, on a plain work pool; all block --- */

struct tc_auth_key_request {
	const char *name;  /* for people; 1 to TC_AUTH_NAME_MAX characters of UTF-8 */
	const char *role;  /* one of tc_auth_roles() */
	const char *actor; /* who makes it: tc_caller.id, or "cli:..."; "": nobody who is known */
};

/* The names of the roles, NULL at the end: "admin", "manager", "viewer". */
const char *const *tc_auth_roles(void);
/* Whether it is one of these. */
bool tc_auth_is_role(const char *name);

/* Makes a key. `ret_key` gets its text, which nobody can read again; `ret_json` (may be NULL) the key as
 * the API shows it, without the secret. INVALID for a bad name or role. */
int tc_auth_create_key(struct tocsin_pool *pool, const struct tc_auth_key_request *request,
		       char ret_key[static TC_AUTH_KEY_SIZE], struct tc_buffer *ret_json,
		       struct tocsin_error *error);

/* {"keys": [{id, name, role, createdAt, createdBy?, lastUsedAt?, revokedAt?}], "nextCursor"?}, newest
 * first. `cursor`: what nextCursor said (a UUID), NULL: from the newest. `limit`: 1 to TC_AUTH_LIST_MAX. */
int tc_auth_list_keys(struct tocsin_pool *pool, unsigned limit, const char *cursor,
		      struct tc_buffer *ret_json, struct tocsin_error *error);

/* Revokes a key for good; every node drops it. `actor` as in the request. Revoking twice is harmless. INVALID if `id` is no UUID,
 * NOT_FOUND if there is no such key. */
int tc_auth_revoke_key(struct tocsin_pool *pool, const char *id, const char *actor,
		       struct tocsin_error *error);

/* At start-up. `given` NULL: makes an admin key if there is none that works, and no user who is an admin either; of
 * many nodes starting at once exactly one does. Else makes sure that `given` is an admin key: INVALID if it has not the form
 * TC_AUTH_KEY_FORM, was revoked, or its id belongs to another key. `ret_key` gets the text of a key
 * made here, "" if none was. */
int tc_auth_ensure_admin(struct tocsin_pool *pool, const char *given,
			 char ret_key[static TC_AUTH_KEY_SIZE], struct tocsin_error *error);

/* Procedures of keys (auth_api.c), of sessions (auth_session_api.c) and of users (auth_user_api.c); each ends
 * with a row whose name is NULL. */
extern const struct tc_procedure tc_auth_procedures[];
extern const struct tc_procedure tc_auth_session_procedures[];
extern const struct tc_procedure tc_auth_user_procedures[];
