/* The model is in auth_cache.h. */
#include "modules/auth/auth_cache.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct tc_auth_cache_entry *find_set(struct tc_auth_cache *cache, const char *id)
{
	uint32_t hash =
		2166136261u; /* FNV-1a: ids are no secret, and a crowded set only costs a query */

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 16777619u;
	return cache->entries[(hash ^ hash >> 16) % TC_AUTH_CACHE_SETS];
}

/* These fail for programming errors only, as mutexes do (base/thread.h). */
static void check(int result)
{
	if (result != 0)
		abort();
}

void tc_auth_cache_init(struct tc_auth_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	check(pthread_rwlock_init(&cache->lock, NULL));
}

void tc_auth_cache_deinit(struct tc_auth_cache *cache)
{
	check(pthread_rwlock_destroy(&cache->lock));
	sodium_memzero(cache->entries, sizeof(cache->entries));
}

bool tc_auth_cache_get(struct tc_auth_cache *cache, const struct tc_auth_key *key, uint64_t now_ms,
		       struct tc_caller *ret_caller)
{
	struct tc_auth_cache_entry *set = find_set(cache, key->id);
	bool found = false;

	check(pthread_rwlock_rdlock(&cache->lock));
	for (unsigned i = 0; i < TC_AUTH_CACHE_WAYS && !found; i++) {
		if (set[i].expires_ms <= now_ms || strcmp(set[i].key.id, key->id) != 0 ||
		    !tc_auth_key_is_equal(set[i].key.hash, key->hash))
			continue;
		*ret_caller = set[i].caller;
		found = true;
	}
	check(pthread_rwlock_unlock(&cache->lock));
	return found;
}

uint64_t tc_auth_cache_generation(struct tc_auth_cache *cache)
{
	uint64_t generation;

	check(pthread_rwlock_rdlock(&cache->lock));
	generation = cache->generation;
	check(pthread_rwlock_unlock(&cache->lock));
	return generation;
}

void tc_auth_cache_put(struct tc_auth_cache *cache, const struct tc_auth_key *key,
		       const struct tc_caller *caller, uint64_t generation, uint64_t expires_ms)
{
	struct tc_auth_cache_entry *set = find_set(cache, key->id), *victim = set;

	assert(expires_ms > 0);
	check(pthread_rwlock_wrlock(&cache->lock));
	if (generation == cache->generation) {
		for (unsigned i = 0; i < TC_AUTH_CACHE_WAYS; i++) {
			if (set[i].expires_ms > 0 && strcmp(set[i].key.id, key->id) == 0) {
				victim = &set[i];
				break;
			}
			if (set[i].expires_ms < victim->expires_ms)
				victim = &set[i];
		}
		*victim = (struct tc_auth_cache_entry){*key, *caller, expires_ms};
	}
	check(pthread_rwlock_unlock(&cache->lock));
}

void tc_auth_cache_drop(struct tc_auth_cache *cache, const char *id)
{
	check(pthread_rwlock_wrlock(&cache->lock));
	cache->generation++;
	if (!id) {
		sodium_memzero(cache->entries, sizeof(cache->entries));
	} else {
		struct tc_auth_cache_entry *set = find_set(cache, id);

		for (unsigned i = 0; i < TC_AUTH_CACHE_WAYS; i++)
			if (strcmp(set[i].key.id, id) == 0)
				sodium_memzero(&set[i], sizeof(set[i]));
	}
	check(pthread_rwlock_unlock(&cache->lock));
}
