/* modules/auth/auth_cache.h: keys and sessions a node verified lately; "key" here is either.
 *
 * Model. TC_AUTH_CACHE_SETS sets of TC_AUTH_CACHE_WAYS entries; a key can be in its set only, and
 * takes the place of the one that expires first. An entry expires after its time, whatever happens.
 * Only verified keys come in, so nobody without a key can push others out.
 *
 * A drop between a query and its put would be lost: the put would bring back what was just revoked. So
 * whoever queries asks for the generation before, and a put with an old generation does nothing.
 *
 * Threads: any; readers share a lock. Nothing blocks on the database. */
#pragma once

#include "modules/auth/auth_key.h"
#include <pthread.h>
#include <stdint.h>

#define TC_AUTH_CACHE_SETS 256u
#define TC_AUTH_CACHE_WAYS 4u

struct tc_auth_cache_entry {
	struct tc_auth_key key;
	struct tc_caller caller;
	uint64_t expires_ms; /* monotonic; 0: empty */
};

struct tc_auth_cache {
	pthread_rwlock_t lock;
	uint64_t generation; /* under the lock */
	struct tc_auth_cache_entry entries[TC_AUTH_CACHE_SETS][TC_AUTH_CACHE_WAYS];
};

void tc_auth_cache_init(struct tc_auth_cache *cache);
void tc_auth_cache_deinit(struct tc_auth_cache *cache);

/* False if the key is not there, has expired, or has another hash (which proves nothing: it may be
 * wrong or not yet known). */
bool tc_auth_cache_get(struct tc_auth_cache *cache, const struct tc_auth_key *key, uint64_t now_ms,
		       struct tc_caller *ret_caller);
uint64_t tc_auth_cache_generation(struct tc_auth_cache *cache);
void tc_auth_cache_put(struct tc_auth_cache *cache, const struct tc_auth_key *key,
		       const struct tc_caller *caller, uint64_t generation, uint64_t expires_ms);
/* Forgets one key, or all with NULL. */
void tc_auth_cache_drop(struct tc_auth_cache *cache, const char *id);
