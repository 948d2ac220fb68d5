/* API keys as text: tocsin_<uuid>_<43 characters of base64url>.
 *
 * The secret is 32 random bytes, so a fast hash (BLAKE2b-256) is enough: there is nothing to guess
 * that a slow one would protect. The id is hashed with it, so that a hash copied to another row proves
 * nothing. Secrets are wiped from the stack as soon as they are hashed or written out. */
#include "modules/auth/auth_key.h"

#include <assert.h>
#include <ctype.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#define PREFIX        "tocsin_"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)
#define ID_LENGTH     ((size_t)TC_UUID_SIZE - 1)
#define SECRET_LENGTH ((size_t)43)

static_assert(TC_AUTH_KEY_SIZE == PREFIX_LENGTH + ID_LENGTH + 1 + SECRET_LENGTH + 1,
	      "the key's form");

static void hash_secret(struct tc_auth_key *key,
			const unsigned char secret[static TC_AUTH_SECRET_SIZE])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, TC_AUTH_HASH_SIZE);
	crypto_generichash_update(&state, (const unsigned char *)key->id, ID_LENGTH);
	crypto_generichash_update(&state, secret, TC_AUTH_SECRET_SIZE);
	crypto_generichash_final(&state, key->hash, TC_AUTH_HASH_SIZE);
	sodium_memzero(&state, sizeof(state));
}

int tc_auth_token_new(struct tc_auth_key *ret_key, char ret_text[static TC_AUTH_TOKEN_SIZE],
		      unsigned char ret_secret[static TC_AUTH_SECRET_SIZE],
		      struct tocsin_error *error)
{
	char *out = ret_text;

	if (sodium_init() < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	tc_uuid_new(ret_key->id);
	randombytes_buf(ret_secret, TC_AUTH_SECRET_SIZE);
	hash_secret(ret_key, ret_secret);

	memcpy(out, ret_key->id, ID_LENGTH);
	out += ID_LENGTH;
	*out++ = '_';
	sodium_bin2base64(out, SECRET_LENGTH + 1, ret_secret, TC_AUTH_SECRET_SIZE,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return TOCSIN_OK;
}

bool tc_auth_token_parse(const char *text, size_t length, struct tc_auth_key *ret_key,
			 unsigned char ret_secret[static TC_AUTH_SECRET_SIZE])
{
	unsigned char secret[TC_AUTH_SECRET_SIZE];
	struct tc_auth_key key = {0};
	const char *end = NULL;
	size_t size = 0;
	bool is_good;

	if (length != TC_AUTH_TOKEN_SIZE - 1)
		return false;
	for (size_t i = 0; i < ID_LENGTH; i++)
		key.id[i] = (char)tolower((unsigned char)text[i]);
	text += ID_LENGTH;
	if (!tc_uuid_is_valid(key.id) || *text++ != '_')
		return false;
	/* Fails for a character outside the alphabet and for bits that no encoder writes, so that one
	 * secret has one text. */
	is_good = sodium_base642bin(secret, sizeof(secret), text, SECRET_LENGTH, NULL, &size, &end,
				    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
		  size == TC_AUTH_SECRET_SIZE && end == text + SECRET_LENGTH;
	if (is_good) {
		hash_secret(&key, secret);
		memcpy(ret_secret, secret, sizeof(secret));
		*ret_key = key;
	}
	sodium_memzero(secret, sizeof(secret));
	return is_good;
}

int tc_auth_key_new(struct tc_auth_key *ret_key, char ret_text[static TC_AUTH_KEY_SIZE],
		    struct tocsin_error *error)
{
	unsigned char secret[TC_AUTH_SECRET_SIZE];
	int result = tc_auth_token_new(ret_key, ret_text + PREFIX_LENGTH, secret, error);

	if (result)
		return result;
	memcpy(ret_text, PREFIX, PREFIX_LENGTH);
	sodium_memzero(secret, sizeof(secret));
	return TOCSIN_OK;
}

bool tc_auth_key_parse(const char *text, struct tc_auth_key *ret_key)
{
	unsigned char secret[TC_AUTH_SECRET_SIZE];

	if (strncmp(text, PREFIX, PREFIX_LENGTH) != 0)
		return false;
	text += PREFIX_LENGTH;
	if (!tc_auth_token_parse(text, strlen(text), ret_key, secret))
		return false;
	sodium_memzero(secret, sizeof(secret));
	return true;
}

bool tc_auth_key_parse_header(const char *authorization, struct tc_auth_key *ret_key)
{
	static const char scheme[] = "Bearer ";

	if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	authorization += sizeof(scheme) - 1;
	authorization += strspn(authorization, " ");
	return tc_auth_key_parse(authorization, ret_key);
}

bool tc_auth_key_is_equal(const unsigned char a[static TC_AUTH_HASH_SIZE],
			  const unsigned char b[static TC_AUTH_HASH_SIZE])
{
	return sodium_memcmp(a, b, TC_AUTH_HASH_SIZE) == 0;
}

void tc_auth_key_hash_format(const struct tc_auth_key *key,
			     char ret_hex[static TC_AUTH_HASH_HEX_SIZE])
{
	ret_hex[0] = '\\';
	ret_hex[1] = 'x';
	sodium_bin2hex(ret_hex + 2, TC_AUTH_HASH_HEX_SIZE - 2, key->hash, TC_AUTH_HASH_SIZE);
}

bool tc_auth_key_hash_parse(const char *hex, unsigned char ret_hash[static TC_AUTH_HASH_SIZE])
{
	unsigned char hash[TC_AUTH_HASH_SIZE];
	size_t length = 0;

	if (strlen(hex) != TC_AUTH_HASH_HEX_SIZE - 1 || memcmp(hex, "\\x", 2) != 0)
		return false;
	if (sodium_hex2bin(hash, sizeof(hash), hex + 2, (size_t)2 * TC_AUTH_HASH_SIZE, NULL,
			   &length, NULL) < 0 ||
	    length != TC_AUTH_HASH_SIZE)
		return false;
	memcpy(ret_hash, hash, sizeof(hash));
	return true;
}
