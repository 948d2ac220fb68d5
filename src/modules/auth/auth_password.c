/* modules/auth/auth_password.c: see auth_password.h. */
#include "modules/auth/auth_password.h"

#include "base/thread.h"
#include "base/utf8.h"
#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(TC_AUTH_PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "as libsodium writes it");

/* Held while one password is hashed: what a process may spend on it at a time. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

int tc_auth_password_check(const char *password, struct tocsin_error *error)
{
	size_t length = strlen(password);

	if (!tc_utf8_is_valid(password, length))
		return tocsin_error_set(error, TOCSIN_E_INVALID, "a password must be UTF-8");
	length = tc_utf8_length(password);
	if (length < TC_AUTH_PASSWORD_MIN || length > TC_AUTH_PASSWORD_MAX)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a password must have %d to %d characters",
					TC_AUTH_PASSWORD_MIN, TC_AUTH_PASSWORD_MAX);
	return TOCSIN_OK;
}

int tc_auth_password_hash(const char *password, char ret_hash[static TC_AUTH_PASSWORD_HASH_SIZE],
			  struct tocsin_error *error)
{
	TC_LOCKED(&one_at_a_time);

	if (crypto_pwhash_str_alg(ret_hash, password, strlen(password), TC_AUTH_PASSWORD_PASSES,
				  TC_AUTH_PASSWORD_MEMORY, crypto_pwhash_ALG_ARGON2ID13) < 0)
		return tocsin_error_set(error, TOCSIN_E_NOMEM,
					"out of memory for a password's hash");
	return TOCSIN_OK;
}

bool tc_auth_password_matches(const char *hash, const char *password)
{
	/* Of 32 random bytes that nobody kept. Its parameters are those above: a test compares them. */
	static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$avXaVK1K3GNfNPoSbxV0ow$"
				     "nNQ7sFZcDJqxmlMGWB/ulDvz9iMlfvVPmSr46fbnyAw";
	bool is_equal;
	TC_LOCKED(&one_at_a_time);

	is_equal = crypto_pwhash_str_verify(hash ? hash : nobody, password, strlen(password)) == 0;

	return is_equal && hash;
}
