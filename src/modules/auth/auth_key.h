/* modules/auth/auth_key.h: the text of API keys: making, parsing, hashing, comparing.
 * Pure: no shared state, no database, nothing blocks. sodium_init must have run (tc_auth_key_new does). */
#pragma once

#include "base/uuid.h"
#include "modules/auth/auth.h"

#define TC_AUTH_SECRET_SIZE   32
#define TC_AUTH_TOKEN_SIZE    (36 + 1 + 43 + 1) /* a UUID, "_", 43 characters, NUL */
#define TC_AUTH_HASH_SIZE     32
#define TC_AUTH_HASH_HEX_SIZE (2 + 2 * TC_AUTH_HASH_SIZE + 1) /* "\x...", as bytea is written */

/* What of a key or token may be kept: who it is and what proves it. */
struct tc_auth_key {
	char id[TC_UUID_SIZE]; /* lower case */
	unsigned char hash[TC_AUTH_HASH_SIZE];
};

/* A token is a key's text without its prefix. A new one with a random secret, which the caller wipes. SYSTEM if
 * libsodium cannot start. */
int tc_auth_token_new(struct tc_auth_key *ret_key, char ret_text[static TC_AUTH_TOKEN_SIZE],
		      unsigned char ret_secret[static TC_AUTH_SECRET_SIZE],
		      struct tocsin_error *error);
/* False if the `length` bytes have not the form; the caller wipes the secret. */
bool tc_auth_token_parse(const char *text, size_t length, struct tc_auth_key *ret_key,
			 unsigned char ret_secret[static TC_AUTH_SECRET_SIZE]);

/* A new key with a random secret. SYSTEM if libsodium cannot start. */
int tc_auth_key_new(struct tc_auth_key *ret_key, char ret_text[static TC_AUTH_KEY_SIZE],
		    struct tocsin_error *error);
/* False if `text` has not the form TC_AUTH_KEY_FORM. */
bool tc_auth_key_parse(const char *text, struct tc_auth_key *ret_key);
/* The key of an Authorization header's value: "Bearer KEY", the scheme in any case (RFC 9110, 11.1). */
bool tc_auth_key_parse_header(const char *authorization, struct tc_auth_key *ret_key);
/* Takes the same time wherever the hashes differ. */
bool tc_auth_key_is_equal(const unsigned char a[static TC_AUTH_HASH_SIZE],
			  const unsigned char b[static TC_AUTH_HASH_SIZE]);
void tc_auth_key_hash_format(const struct tc_auth_key *key,
			     char ret_hex[static TC_AUTH_HASH_HEX_SIZE]);
/* Reads "\x..."; false if it is not a hash. */
bool tc_auth_key_hash_parse(const char *hex, unsigned char ret_hash[static TC_AUTH_HASH_SIZE]);
