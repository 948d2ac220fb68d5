/* core/cache/cache.c: see cache.h.
 *
 * One table under one mutex, held for a lookup or an insert: never while an answer is made or freed. An entry
 * that loads is in the table until it ends, or until somebody finds that a drop has overtaken it and puts
 * his own in its place: it is then an orphan, which only its loader knows. */
#include "core/cache/cache.h"

#include "base/thread.h"
#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS      16384u
#define DEPENDENCIES 3u
/* Everything; each subject as a whole; the lists of each subject; single things. */
#define SLOT_ALL    0u
#define SLOT_WHOLE  1u
#define SLOT_LISTS  (SLOT_WHOLE + TC_ABOUT_COUNT)
#define SLOT_THINGS (SLOT_LISTS + TC_ABOUT_COUNT)
#define SLOTS       (SLOT_THINGS + TC_CACHE_THINGS)

static_assert(TC_ABOUT_CATALOG == 1u << (TC_ABOUT_COUNT - 1), "every subject has its slots");

struct tc_cache_load {
	struct tc_list bucket; /* in the table, or unlinked: an orphan */
	struct tc_list recent; /* in `recent` while it has a value */
	struct tc_list waiters;
	unsigned slots[DEPENDENCIES * TC_ABOUT_COUNT], slots_count;
	uint64_t noted[DEPENDENCIES * TC_ABOUT_COUNT];
	uint64_t started_ms, hash;
	struct tc_cache_value *value; /* NULL while it loads */
	size_t size, key_length;
	char key[];
};

struct tc_cache {
	struct tc_cache_options options;
	unsigned char secret[crypto_shorthash_KEYBYTES]; /* so that nobody can crowd a bucket */
	_Atomic uint64_t counters[SLOTS];
	pthread_mutex_t mutex; /* guards what follows */
	struct tc_list recent; /* first: the next to go */
	struct tc_cache_stats stats;
	unsigned loading;
	struct tc_list buckets[BUCKETS];
};

int tc_cache_new(struct tc_cache **ret_cache, const struct tc_cache_options *options,
		 struct tocsin_error *error)
{
	struct tc_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the cache");
	if (sodium_init() < 0) {
		free(cache);
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	}
	cache->options = *options;
	if (cache->options.entries_max == 0)
		cache->options.entries_max = TC_CACHE_ENTRIES_MAX;
	if (cache->options.bytes_max == 0)
		cache->options.bytes_max = TC_CACHE_BYTES_MAX;
	randombytes_buf(cache->secret, sizeof(cache->secret));
	tc_mutex_init(&cache->mutex);
	tc_list_init(&cache->recent);
	for (unsigned i = 0; i < BUCKETS; i++)
		tc_list_init(&cache->buckets[i]);
	*ret_cache = cache;
	return TOCSIN_OK;
}

static void entry_free(struct tc_cache_load *entry)
{
	tc_cache_value_unref(entry->value);
	free(entry);
}

/* Those that were taken out under the mutex, without it. */
static void free_all(struct tc_list *gone)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(gone)))
		entry_free(tc_list_entry(node, struct tc_cache_load, recent));
}

struct tc_cache *tc_cache_free(struct tc_cache *cache)
{
	if (!cache)
		return NULL;
	assert(cache->loading == 0);
	free_all(&cache->recent);
	pthread_mutex_destroy(&cache->mutex);
	free(cache);
	return NULL;
}

/* --- dependencies --- */

static uint64_t hash_bytes(const struct tc_cache *cache, const void *bytes, size_t length)
{
	uint64_t hash;

	static_assert(sizeof(hash) == crypto_shorthash_BYTES, "a hash is a number");
	crypto_shorthash((unsigned char *)&hash, bytes, length, cache->secret);
	return hash;
}

static unsigned thing_slot(const struct tc_cache *cache, const char *thing)
{
	return SLOT_THINGS + (unsigned)(hash_bytes(cache, thing, strlen(thing)) % TC_CACHE_THINGS);
}

static void note(struct tc_cache *cache, struct tc_cache_load *entry, unsigned slot)
{
	entry->slots[entry->slots_count] = slot;
	entry->noted[entry->slots_count++] = atomic_load(&cache->counters[slot]);
}

static void note_all(struct tc_cache *cache, struct tc_cache_load *entry,
		     const struct tc_cache_query *query)
{
	note(cache, entry, SLOT_ALL);
	for (unsigned i = 0; i < TC_ABOUT_COUNT; i++) {
		if (!(query->about & 1u << i))
			continue;
		note(cache, entry, SLOT_WHOLE + i);
		if (!query->thing)
			note(cache, entry, SLOT_LISTS + i);
	}
	if (query->thing)
		note(cache, entry, thing_slot(cache, query->thing));
	assert(entry->slots_count <= TC_ARRAY_LENGTH(entry->slots));
}

static bool is_overtaken(struct tc_cache *cache, const struct tc_cache_load *entry)
{
	for (unsigned i = 0; i < entry->slots_count; i++)
		if (atomic_load(&cache->counters[entry->slots[i]]) != entry->noted[i])
			return true;
	return false;
}

static void count_up(struct tc_cache *cache, unsigned slot)
{
	atomic_fetch_add(&cache->counters[slot], 1);
}

void tc_cache_drop(struct tc_cache *cache, unsigned about, const char *thing)
{
	if (thing) {
		count_up(cache, thing_slot(cache, thing));
		tc_cache_drop_lists(cache, about);
		return;
	}
	for (unsigned i = 0; i < TC_ABOUT_COUNT; i++)
		if (about & 1u << i)
			count_up(cache, SLOT_WHOLE + i);
}

void tc_cache_drop_lists(struct tc_cache *cache, unsigned about)
{
	for (unsigned i = 0; i < TC_ABOUT_COUNT; i++)
		if (about & 1u << i)
			count_up(cache, SLOT_LISTS + i);
}

void tc_cache_drop_all(struct tc_cache *cache)
{
	count_up(cache, SLOT_ALL);
}

/* --- the table; all with the mutex held --- */

static struct tc_cache_load *look_up(struct tc_cache *cache, const struct tc_cache_query *query,
				     uint64_t hash)
{
	tc_list_each (node, &cache->buckets[hash % BUCKETS]) {
		struct tc_cache_load *entry = tc_list_entry(node, struct tc_cache_load, bucket);

		if (entry->hash == hash && entry->key_length == query->key_length &&
		    memcmp(entry->key, query->key, query->key_length) == 0)
			return entry;
	}
	return NULL;
}

/* Out of the table; one with a value moves to `gone`. */
static void remove_entry(struct tc_cache *cache, struct tc_cache_load *entry, struct tc_list *gone)
{
	tc_list_remove(&entry->bucket);
	if (!entry->value)
		return; /* its loader's */
	tc_list_remove(&entry->recent);
	tc_list_push_back(gone, &entry->recent);
	cache->stats.entries--;
	cache->stats.bytes -= entry->size;
}

static void make_room(struct tc_cache *cache, size_t size, struct tc_list *gone)
{
	while (cache->stats.entries > 0 && (cache->stats.entries >= cache->options.entries_max ||
					    cache->stats.bytes + size > cache->options.bytes_max)) {
		remove_entry(cache, tc_list_entry(cache->recent.next, struct tc_cache_load, recent),
			     gone);
		cache->stats.evicted++;
	}
}

static struct tc_cache_load *start_load(struct tc_cache *cache, const struct tc_cache_query *query,
					uint64_t hash)
{
	struct tc_cache_load *entry;

	if (cache->loading >= cache->options.entries_max)
		return NULL;
	entry = calloc(1, sizeof(*entry) + query->key_length);
	if (!entry)
		return NULL;
	tc_list_init(&entry->recent);
	tc_list_init(&entry->waiters);
	entry->hash = hash;
	entry->key_length = query->key_length;
	memcpy(entry->key, query->key, query->key_length);
	entry->started_ms = query->now_ms;
	note_all(cache, entry, query);
	tc_list_push_back(&cache->buckets[hash % BUCKETS], &entry->bucket);
	cache->loading++;
	return entry;
}

static enum tc_cache_outcome find_locked(struct tc_cache *cache, const struct tc_cache_query *query,
					 uint64_t hash, struct tc_list *waiter,
					 struct tc_cache_value **ret_value,
					 struct tc_cache_load **ret_load, struct tc_list *gone)
{
	struct tc_cache_load *entry = look_up(cache, query, hash);
	/* Who looked at the clock first may come second. */
	bool is_good = entry && !is_overtaken(cache, entry) &&
		       query->now_ms < entry->started_ms + TC_CACHE_AGE_MAX_MS;

	if (is_good && entry->value) {
		tc_list_remove(&entry->recent);
		tc_list_push_back(&cache->recent, &entry->recent);
		*ret_value = tc_cache_value_ref(entry->value);
		cache->stats.hits++;
		return TC_CACHE_HIT;
	}
	if (is_good) {
		tc_list_push_back(&entry->waiters, waiter);
		cache->stats.waits++;
		return TC_CACHE_WAIT;
	}
	if (entry)
		remove_entry(cache, entry, gone);
	*ret_load = start_load(cache, query, hash);
	if (!*ret_load) {
		cache->stats.bypasses++;
		return TC_CACHE_BYPASS;
	}
	cache->stats.loads++;
	return TC_CACHE_LOAD;
}

/* --- what is asked of it --- */

enum tc_cache_outcome tc_cache_find(struct tc_cache *cache, const struct tc_cache_query *query,
				    struct tc_list *waiter, struct tc_cache_value **ret_value,
				    struct tc_cache_load **ret_load)
{
	uint64_t hash = hash_bytes(cache, query->key, query->key_length);
	bool is_live = !cache->options.is_live || cache->options.is_live(cache->options.userdata);
	enum tc_cache_outcome outcome = TC_CACHE_BYPASS;
	struct tc_list gone;

	assert(query->key_length > 0 && query->key_length <= TC_CACHE_KEY_MAX);
	tc_list_init(&gone);
	tc_mutex_lock(&cache->mutex);
	if (is_live)
		outcome = find_locked(cache, query, hash, waiter, ret_value, ret_load, &gone);
	else
		cache->stats.bypasses++;
	tc_mutex_unlock(&cache->mutex);
	free_all(&gone);
	return outcome;
}

static bool keep_locked(struct tc_cache *cache, struct tc_cache_load *load,
			struct tc_cache_value *value, struct tc_list *gone)
{
	bool is_orphan = tc_list_is_empty(&load->bucket);

	cache->loading--;
	if (is_orphan || !value || is_overtaken(cache, load)) {
		tc_list_remove(&load->bucket);
		return false;
	}
	load->size = tc_cache_value_size(value) + sizeof(*load) + load->key_length;
	if (load->size > TC_MIN(TC_CACHE_VALUE_MAX, cache->options.bytes_max)) {
		tc_list_remove(&load->bucket);
		return false;
	}
	make_room(cache, load->size, gone);
	load->value = tc_cache_value_ref(value);
	tc_list_push_back(&cache->recent, &load->recent);
	cache->stats.entries++;
	cache->stats.bytes += load->size;
	return true;
}

void tc_cache_end(struct tc_cache *cache, struct tc_cache_load *load, struct tc_cache_value *value,
		  struct tc_list *ret_waiters)
{
	struct tc_list gone;
	bool is_kept;

	tc_list_init(&gone);
	tc_mutex_lock(&cache->mutex);
	tc_list_splice_back(ret_waiters, &load->waiters);
	is_kept = keep_locked(cache, load, value, &gone);
	tc_mutex_unlock(&cache->mutex);
	if (!is_kept)
		entry_free(load);
	free_all(&gone);
}

void tc_cache_get_stats(struct tc_cache *cache, struct tc_cache_stats *ret_stats)
{
	TC_LOCKED(&cache->mutex);

	*ret_stats = cache->stats;
}
