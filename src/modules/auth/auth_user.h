/* modules/auth/auth_user.h: users in the database, for the API and the command line alike.
 *
 * Passwords come in as hashes (auth_password.h): hashing takes its time, and is done where that does not
 * hold up others. Every change writes its outbox row, without secrets, and tells every node.
 *
 * Threads: any, on a work pool; all block. */
#pragma once

#include "base/buffer.h"
#include <tocsin/pool.h>

#define TC_AUTH_USER_NAME_MAX 100 /* characters */
#define TC_AUTH_USER_LIST_MAX 500

struct tc_auth_user_request {
	const char *name;          /* NULL: as it is */
	const char *role;          /* one of tc_auth_roles(); NULL: as it is */
	const char *password_hash; /* NULL: as it is */
	const char *actor; /* who does it: tc_caller.id, or "cli:..."; "": nobody who is known */
	const char *kept_session; /* the one session that outlives a new password; NULL: none */
	int password_version;     /* the password that was checked; 0: none was */
};

/* INVALID for a name that is empty, too long, not UTF-8, has control characters or spaces around it. */
int tc_auth_user_check_name(const char *name, struct tocsin_error *error);
/* What it takes of names that are not too long, as a regular expression of ECMAScript. */
#define TC_AUTH_USER_NAME_PATTERN                                                                  \
	"^[^\\u0000-\\u0020\\u007f]([^\\u0000-\\u001f\\u007f]*[^\\u0000-\\u0020\\u007f])?$"

/* Makes a user; name, role and hash are needed. `ret_json` (may be NULL) gets the user as the API shows it.
 * EXISTS if there is one of that name. */
int tc_auth_user_create(struct tocsin_pool *pool, const struct tc_auth_user_request *request,
			struct tc_buffer *ret_json, struct tocsin_error *error);

/* Changes what is given. A new password ends the user's sessions and forgets failed log-ins. NOT_FOUND;
 * EXISTS if the name is taken, or the password is another by now than the one that was checked. */
int tc_auth_user_update(struct tocsin_pool *pool, const char *id,
			const struct tc_auth_user_request *request, struct tc_buffer *ret_json,
			struct tocsin_error *error);

/* Deletes a user with all sessions. NOT_FOUND. */
int tc_auth_user_delete(struct tocsin_pool *pool, const char *id, const char *actor,
			struct tocsin_error *error);

/* {"users": [{id, name, role, createdAt, createdBy?, updatedAt, lastLoginAt?}], "nextCursor"?}, newest first;
 * `limit` and `cursor` as in tc_auth_list_keys. */
int tc_auth_user_list(struct tocsin_pool *pool, unsigned limit, const char *cursor,
		      struct tc_buffer *ret_json, struct tocsin_error *error);

/* The id of a name. NOT_FOUND. */
int tc_auth_user_find(struct tocsin_pool *pool, const char *name, char ret_id[static 37],
		      struct tocsin_error *error);
