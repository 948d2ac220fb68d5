/* core/procedure/claim.c: see claim.h. */
#include "core/procedure/claim.h"

#include "base/memory.h"
#include "core/procedure/call.h"
#include <stdlib.h>
#include <string.h>

#define NONCE crypto_secretbox_NONCEBYTES

/* With its length, so that two texts cannot be read as two others. */
static void hash_part(crypto_generichash_state *state, const void *bytes, size_t length)
{
	uint64_t size = length;

	crypto_generichash_update(state, (const unsigned char *)&size, sizeof(size));
	crypto_generichash_update(state, bytes, length);
}

bool tc_claim_derive(struct tc_claim *claim, const struct tc_call *call)
{
	static const char purpose[] = "tocsin idempotency 1";
	const struct tc_caller *caller = &call->caller;
	TC_FREE char *input = json_dumps(call->input, JSON_SORT_KEYS | JSON_COMPACT);
	unsigned char both[sizeof(claim->scope) + sizeof(claim->seal)];
	crypto_generichash_state state;

	if (!input)
		return false;
	crypto_generichash_init(&state, NULL, 0, sizeof(both));
	hash_part(&state, purpose, sizeof(purpose));
	if (claim->has_credential) {
		hash_part(&state, claim->credential, sizeof(claim->credential));
	} else {
		hash_part(&state, caller->session, strlen(caller->session));
		hash_part(&state, caller->csrf, strlen(caller->csrf));
	}
	hash_part(&state, caller->id, strlen(caller->id));
	hash_part(&state, call->procedure->name, strlen(call->procedure->name));
	hash_part(&state, claim->key, strlen(claim->key));
	crypto_generichash_final(&state, both, sizeof(both));
	memcpy(claim->scope, both, sizeof(claim->scope));
	memcpy(claim->seal, both + sizeof(claim->scope), sizeof(claim->seal));
	tc_claim_hex(claim->scope, claim->scope_text);
	sodium_memzero(both, sizeof(both));
	/* Keyed: the input may hold a password, and a plain hash of it could be guessed at. */
	crypto_generichash(claim->fingerprint, sizeof(claim->fingerprint),
			   (const unsigned char *)input, strlen(input), claim->seal,
			   sizeof(claim->seal));
	sodium_memzero(input, strlen(input));
	return true;
}

void tc_claim_hex(const unsigned char bytes[static 32], char ret_text[static TC_CLAIM_HEX_SIZE])
{
	ret_text[0] = '\\';
	ret_text[1] = 'x';
	sodium_bin2hex(ret_text + 2, TC_CLAIM_HEX_SIZE - 2, bytes, 32);
}

char *tc_claim_encrypt(const struct tc_claim *claim, const char *body, size_t length)
{
	size_t size = NONCE + crypto_secretbox_MACBYTES + length;
	unsigned char *sealed = malloc(size);
	char *text = malloc(2 + 2 * size + 1);

	if (sealed && text) {
		randombytes_buf(sealed, NONCE);
		crypto_secretbox_easy(sealed + NONCE, (const unsigned char *)(body ? body : ""),
				      length, sealed, claim->seal);
		memcpy(text, "\\x", 2);
		sodium_bin2hex(text + 2, 2 * size + 1, sealed, size);
	} else {
		free(text);
		text = NULL;
	}
	free(sealed);
	return text;
}

char *tc_claim_decrypt(const struct tc_claim *claim, const char *text, size_t *ret_length)
{
	size_t size = strlen(text) / 2, length;
	unsigned char *sealed = malloc(size + 1);
	char *body = NULL;

	if (sealed && strncmp(text, "\\x", 2) == 0 &&
	    sodium_hex2bin(sealed, size, text + 2, strlen(text + 2), NULL, &length, NULL) == 0 &&
	    length >= NONCE + crypto_secretbox_MACBYTES)
		body = malloc(length);
	if (body && crypto_secretbox_open_easy((unsigned char *)body, sealed + NONCE,
					       length - NONCE, sealed, claim->seal) != 0) {
		free(body);
		body = NULL;
	}
	if (body)
		*ret_length = length - NONCE - crypto_secretbox_MACBYTES;
	free(sealed);
	return body;
}

bool tc_claim_is_final(const struct tc_call *call, unsigned status)
{
	return (status >= 200 && status < 300) || status == 400 || status == 404 || status == 410 ||
	       status == 413 || status == 422 || (status == 409 && call->retry_after_s == 0);
}
