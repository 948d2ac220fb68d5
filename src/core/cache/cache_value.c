/* core/cache/cache_value.c: what the cache keeps, and entity tags; see cache.h. */
#include "core/cache/cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct tc_cache_value {
	atomic_uint refs;
	struct tc_http_answer *full, *unchanged;
	char etag[TC_ETAG_SIZE];
};

struct tc_cache_value *tc_cache_value_new(struct tc_http_answer *full,
					  struct tc_http_answer *unchanged,
					  const char etag[static TC_ETAG_SIZE])
{
	struct tc_cache_value *value = full && unchanged ? calloc(1, sizeof(*value)) : NULL;

	if (!value) {
		tc_http_answer_unref(full);
		tc_http_answer_unref(unchanged);
		return NULL;
	}
	atomic_init(&value->refs, 1);
	value->full = full;
	value->unchanged = unchanged;
	memcpy(value->etag, etag, TC_ETAG_SIZE);
	return value;
}

struct tc_cache_value *tc_cache_value_ref(struct tc_cache_value *value)
{
	atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
	return value;
}

struct tc_cache_value *tc_cache_value_unref(struct tc_cache_value *value)
{
	if (!value || atomic_fetch_sub(&value->refs, 1) != 1)
		return NULL;
	tc_http_answer_unref(value->full);
	tc_http_answer_unref(value->unchanged);
	free(value);
	return NULL;
}

size_t tc_cache_value_size(const struct tc_cache_value *value)
{
	return sizeof(*value) + tc_http_answer_length(value->full);
}

struct tc_http_answer *tc_cache_value_choose(const struct tc_cache_value *value,
					     const char *if_none_match)
{
	return tc_etag_matches(if_none_match, value->etag) ? value->unchanged : value->full;
}

bool tc_etag_matches(const char *if_none_match, const char *etag)
{
	size_t length = strlen(etag);

	for (const char *text = if_none_match; text && *text;) {
		size_t size;

		text += strspn(text, " \t,");
		if (strncmp(text, "W/", 2) == 0)
			text += 2;
		size = strcspn(text, " \t,"); /* a tag of ours has none of these inside */
		if ((size == 1 && *text == '*') ||
		    (size == length && memcmp(text, etag, length) == 0))
			return true;
		text += size;
	}
	return false;
}
