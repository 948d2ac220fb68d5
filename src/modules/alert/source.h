/* modules/alert/source.h: sources: tools that send PagerDuty events, each known by its routing key.
 *
 * Model. A routing key is 32 hexadecimal digits, 128 random bits: the form PagerDuty's own keys have, so
 * that every client takes it. It is a credential; the database holds only a hash, which is what keys are
 * looked up by: who can measure that learns about the hash of a guess, nothing about a key. A revoked
 * source stays in the list, and what it reported stays; its name is free again. Both changes write an outbox row:
 * alert.source.created, alert.source.revoked.
 *
 * All functions block for the database; any thread that holds no work connection may call them. They are also
 * for the command line, on a plain work pool. */
#pragma once

#include "base/buffer.h"
#include "base/uuid.h"
#include <tocsin/pool.h>

#define TC_SOURCE_KEY_LENGTH 32
#define TC_SOURCE_KEY_SIZE   (TC_SOURCE_KEY_LENGTH + 1)
#define TC_SOURCE_NAME_MAX   100 /* characters */
#define TC_SOURCE_LIST_MAX   500

struct tc_source_request {
	const char *name;  /* for people; 1 to TC_SOURCE_NAME_MAX characters of UTF-8 */
	const char *actor; /* who makes it: tc_caller.id, or "cli:..."; NULL: nobody who is known */
};

/* Makes a source. `ret_key` gets its routing key, which nobody can read again; `ret_json` (may be NULL) the source as
 * the API shows it, without the key. INVALID for a bad name, EXISTS for one that is taken without regard to case. */
int tc_source_create(struct tocsin_pool *pool, const struct tc_source_request *request,
		     char ret_key[static TC_SOURCE_KEY_SIZE], struct tc_buffer *ret_json,
		     struct tocsin_error *error);

/* {"sources": [{id, name, createdAt, createdBy?, lastUsedAt?, revokedAt?}], "nextCursor"?}, newest first.
 * `cursor`: what nextCursor said (a UUID), NULL: from the newest. `limit`: 1 to TC_SOURCE_LIST_MAX. */
int tc_source_list(struct tocsin_pool *pool, unsigned limit, const char *cursor,
		   struct tc_buffer *ret_json, struct tocsin_error *error);

/* Revokes a source's key for good; `actor` as above. Twice is harmless. INVALID if `id` is no UUID, NOT_FOUND. */
int tc_source_revoke(struct tocsin_pool *pool, const char *id, const char *actor,
		     struct tocsin_error *error);

#define TC_SOURCE_NAME_SIZE (TC_SOURCE_NAME_MAX * 4 + 1)

struct tc_source {
	char id[TC_UUID_SIZE];
	char name[TC_SOURCE_NAME_SIZE];
	char *alert_system; /* system of the alert that was asked for, owned (free); NULL: not known */
};

/* Finds the source that a routing key names, and with it the alert of that dedup key (NULL: none is asked for).
 * NOT_FOUND if no working source has the key. The use is noted, to about a minute. */
int tc_source_find(struct tocsin_pool *pool, const char *routing_key, const char *dedup_key,
		   struct tc_source *ret_source, struct tocsin_error *error);
