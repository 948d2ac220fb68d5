/* modules/event/callers.c: see callers.h. A hash table; `mutex` guards it. */
#include "modules/event/callers.h"

#include "base/list.h"
#include "base/macro.h"
#include "base/thread.h"
#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u

struct tc_event_caller {
	struct tc_list node; /* in its bucket */
	unsigned count;
	char name[TC_EVENT_CALLER_SIZE];
};

struct tc_event_callers {
	unsigned max;
	unsigned char secret[crypto_shorthash_KEYBYTES]; /* so that nobody can crowd a bucket */
	pthread_mutex_t mutex;
	struct tc_list buckets[BUCKETS];
};

int tc_event_callers_new(struct tc_event_callers **ret_callers, unsigned max,
			 struct tocsin_error *error)
{
	struct tc_event_callers *callers;

	assert(max > 0);
	if (sodium_init() < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	callers = calloc(1, sizeof(*callers));
	if (!callers)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for callers");
	callers->max = max;
	randombytes_buf(callers->secret, sizeof(callers->secret));
	tc_mutex_init(&callers->mutex);
	for (unsigned i = 0; i < BUCKETS; i++)
		tc_list_init(&callers->buckets[i]);
	*ret_callers = callers;
	return TOCSIN_OK;
}

struct tc_event_callers *tc_event_callers_free(struct tc_event_callers *callers)
{
	if (!callers)
		return NULL;
	for (unsigned i = 0; i < BUCKETS; i++)
		assert(tc_list_is_empty(&callers->buckets[i]));
	pthread_mutex_destroy(&callers->mutex);
	free(callers);
	return NULL;
}

static struct tc_list *find_bucket(struct tc_event_callers *callers, const char *name)
{
	uint64_t hash;

	static_assert(sizeof(hash) == crypto_shorthash_BYTES, "a hash is a number");
	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name, strlen(name),
			 callers->secret);
	return &callers->buckets[hash % BUCKETS];
}

static struct tc_event_caller *find(const struct tc_list *bucket, const char *name)
{
	tc_list_each (node, bucket) {
		struct tc_event_caller *caller = tc_list_entry(node, struct tc_event_caller, node);

		if (strcmp(caller->name, name) == 0)
			return caller;
	}
	return NULL;
}

int tc_event_callers_enter(struct tc_event_callers *callers, const char *name,
			   struct tc_event_caller **ret_caller, struct tocsin_error *error)
{
	TC_LOCKED(&callers->mutex);
	char text[TC_EVENT_CALLER_SIZE];
	struct tc_event_caller *caller;
	struct tc_list *bucket;

	snprintf(text, sizeof(text), "%s", name);
	bucket = find_bucket(callers, text);
	caller = find(bucket, text);
	if (caller && caller->count >= callers->max)
		return tocsin_error_set(error, TOCSIN_E_FULL,
					"This caller has %u stream%s open, and may have no more",
					caller->count, TC_PLURAL(caller->count));
	if (!caller) {
		caller = calloc(1, sizeof(*caller));
		if (!caller)
			return tocsin_error_set(error, TOCSIN_E_NOMEM,
						"out of memory for a stream");
		memcpy(caller->name, text, sizeof(text));
		tc_list_push_back(bucket, &caller->node);
	}
	caller->count++;
	*ret_caller = caller;
	return TOCSIN_OK;
}

void tc_event_callers_leave(struct tc_event_callers *callers, struct tc_event_caller *caller)
{
	TC_LOCKED(&callers->mutex);

	assert(caller->count > 0);
	if (--caller->count > 0)
		return;
	tc_list_remove(&caller->node);
	free(caller);
}
