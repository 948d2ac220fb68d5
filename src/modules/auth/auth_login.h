/* modules/auth/auth_login.h: the database's part of logging in and out.
 *
 * Model. An attempt is counted before the password is checked, in one transaction for its user name and its
 * client address, both shared by all nodes: many attempts at once cannot get past the limit. One
 * that succeeds is taken back, or whose password nobody had the time to look at. A refused one counts for neither,
 * so that nobody locks names out from an address that is at its own limit.
 *
 * Threads: any, on a work pool; all block. */
#pragma once

#include "modules/auth/auth_password.h"
#include "modules/auth/auth_session.h"
#include <tocsin/pool.h>

/* Failed attempts within a window: of one name, and of one address, behind which there may be an office. */
#define TC_AUTH_ATTEMPTS_PER_NAME     5
#define TC_AUTH_ATTEMPTS_PER_ADDRESS  20
#define TC_AUTH_ATTEMPTS_WINDOW_S     900
#define TC_AUTH_ATTEMPTS_MAX          100000 /* rows of table login_attempts, about */
#define TC_AUTH_SESSIONS_PER_USER_MAX 20     /* the oldest ends when there is one more */

/* Who wants in. */
struct tc_auth_login {
	const char *name;                 /* as typed */
	char client[TC_AUTH_CLIENT_SIZE]; /* the address; "": not counted */
	bool is_known;                    /* there is such a user, and the rest is filled */
	char user_id[TC_UUID_SIZE];
	char password_hash[TC_AUTH_PASSWORD_HASH_SIZE];
	int password_version;
};

/* Counts the attempt and finds the user. TOCSIN_E_FULL, with `ret_wait_s`, if there were too many. */
int tc_auth_login_admit(struct tocsin_pool *pool, struct tc_auth_login *login, unsigned *ret_wait_s,
			struct tocsin_error *error);
/* The same for a user who is logged in: `login->user_id` is filled, the name is not used. */
int tc_auth_login_admit_again(struct tocsin_pool *pool, struct tc_auth_login *login,
			      unsigned *ret_wait_s, struct tocsin_error *error);

/* After either, where the password is not looked at: the attempt was none. */
int tc_auth_login_take_back(struct tocsin_pool *pool, struct tc_auth_login *login,
			    struct tocsin_error *error);

struct tc_auth_login_session {
	struct tc_caller caller;
	char token[TC_AUTH_TOKEN_SIZE]; /* for the cookie */
};

/* After the password was found right: makes the session and takes the attempt back. NOT_FOUND if user or
 * password changed meanwhile. */
int tc_auth_login_open(struct tocsin_pool *pool, const struct tc_auth_login *login, unsigned hours,
		       struct tc_auth_login_session *ret_session, struct tocsin_error *error);
/* Log-out; harmless if there is no such session any more. */
int tc_auth_login_close(struct tocsin_pool *pool, const char *session_id, const char *actor,
			struct tocsin_error *error);
/* Forgets the failed attempts of a name, in the transaction of the connection. */
int tc_auth_login_forgive(struct tocsin_connection *connection, const char *name,
			  struct tocsin_error *error);
