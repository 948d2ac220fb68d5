/* core/procedure/claim.h: one use of an Idempotency-Key: names, hashes, encryption. Private to core/procedure/. Nothing here
 * blocks, but for deriving from a large input. */
#pragma once

#include "core/procedure/idempotency.h"
#include <sodium.h>

enum tc_claim_state {
	TC_CLAIM_OPEN,   /* not looked for yet */
	TC_CLAIM_JOINED, /* the handler runs in the claim's transaction */
	TC_CLAIM_LEFT,   /* it went elsewhere; nothing is stored */
	TC_CLAIM_SETTLED /* stored, or not to be */
};

#define TC_CLAIM_HEX_SIZE (2 + 2 * 32 + 1) /* "\x", digits, NUL: a bytea's text */

struct tc_claim {
	enum tc_claim_state state;
	bool is_replay, has_credential;
	struct tocsin_connection *connection; /* joined */
	void (*resume)(struct tc_job *job); /* where a call that left goes on; NULL: its handler */
	unsigned char credential[32];
	unsigned char scope[32], seal[crypto_secretbox_KEYBYTES], fingerprint[32];
	char scope_text[TC_CLAIM_HEX_SIZE];
	struct tc_http_response parked; /* LEFT: to be stored, then sent; its body is owned */
	char key[TC_IDEMPOTENCY_KEY_MAX + 1];
};

/* Whom and what the key is for, and with what input. False: no memory. */
bool tc_claim_derive(struct tc_claim *claim, const struct tc_call *call);
void tc_claim_hex(const unsigned char bytes[static 32], char ret_text[static TC_CLAIM_HEX_SIZE]);
/* The text of a bytea, malloc'ed; NULL: no memory. */
char *tc_claim_encrypt(const struct tc_claim *claim, const char *body, size_t length);
/* The inverse; NULL: no memory, or it is not ours. */
char *tc_claim_decrypt(const struct tc_claim *claim, const char *text, size_t *ret_length);
/* As tc_claims_add, for any answer. */
void tc_claims_add_response(struct tc_claims *claims, const struct tc_claim *claim,
			    const struct tc_http_response *response);
/* Is the call's answer, with this status, one to keep? Not if it is to be tried again. */
bool tc_claim_is_final(const struct tc_call *call, unsigned status);
