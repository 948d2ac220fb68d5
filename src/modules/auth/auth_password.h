/* modules/auth/auth_password.h: passwords: what is allowed, hashing and checking.
 *
 * argon2id with 19 MiB and two passes, the least that OWASP's "Password Storage Cheat Sheet" names: about
 * 30 ms of one core. A process hashes one password at a time: 19 MiB and one core are the most that any
 * number of log-ins can take. The parameters are part of a hash, so that they may change.
 *
 * Threads: any; hash and matches block for their turn and the work, so call them on a thread that may
 * (tc_auth_submit). sodium_init must have run. */
#pragma once

#include <stdbool.h>
#include <tocsin/error.h>

#define TC_AUTH_PASSWORD_MIN       10  /* characters */
#define TC_AUTH_PASSWORD_MAX       200 /* characters */
#define TC_AUTH_PASSWORD_PASSES    2
#define TC_AUTH_PASSWORD_MEMORY    ((size_t)19 * 1024 * 1024)
#define TC_AUTH_PASSWORD_HASH_SIZE 128

/* INVALID if it is too short, too long, or not UTF-8; the message never has the password. */
int tc_auth_password_check(const char *password, struct tocsin_error *error);
/* NOMEM if there is no memory for it. */
int tc_auth_password_hash(const char *password, char ret_hash[static TC_AUTH_PASSWORD_HASH_SIZE],
			  struct tocsin_error *error);
/* `hash` NULL: there is nobody to compare with; the answer is no, after the same work. */
bool tc_auth_password_matches(const char *hash, const char *password);
