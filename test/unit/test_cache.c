/* test/unit/test_cache.c: the cache by itself: one loads, nothing old comes back, nothing grows.
 *
 * How each was seen to fail: with is_overtaken always
 * false an older load overwrites a newer drop, and a late caller waits for it; without make_room the bounds are
 * exceeded; without the comparison with started_ms an entry lives for ever; with the age as a difference of two unsigned
 * numbers who looked at the clock a moment before the load began loads once more. */
#include "unit.h"

#include "base/thread.h"
#include "core/cache/cache.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 100

static struct tc_cache *make(unsigned entries_max, size_t bytes_max)
{
	const struct tc_cache_options options = {.entries_max = entries_max,
						 .bytes_max = bytes_max};
	struct tc_cache *cache = NULL;

	assert_int_equal(tc_cache_new(&cache, &options, NULL), TOCSIN_OK);
	return cache;
}

static struct tc_cache_query query(const char *key, const char *thing)
{
	return (struct tc_cache_query){.key = key,
				       .key_length = strlen(key),
				       .about = TC_ABOUT_INCIDENTS,
				       .thing = thing,
				       .now_ms = 1000};
}

static struct tc_cache_value *value_of(size_t size)
{
	struct tc_http_response full = {.status = 200, .body_length = size};
	const struct tc_http_response unchanged = {.status = 304};
	struct tc_cache_value *value;

	full.body = malloc(size);
	assert_non_null(full.body);
	memset(full.body, 'x', size);
	value = tc_cache_value_new(tc_http_answer_new(&full), tc_http_answer_new(&unchanged),
				   "\"0123456789012345678901\"");
	assert_non_null(value);
	return value;
}

/* What a find says; a hit's reference is dropped. */
static enum tc_cache_outcome find(struct tc_cache *cache, const struct tc_cache_query *wanted,
				  struct tc_list *waiter, struct tc_cache_load **ret_load)
{
	TC_CLEANUP(tc_cache_value_unref) struct tc_cache_value *value = NULL;

	return tc_cache_find(cache, wanted, waiter, &value, ret_load);
}

static unsigned end(struct tc_cache *cache, struct tc_cache_load *load, size_t size)
{
	TC_CLEANUP(tc_cache_value_unref) struct tc_cache_value *value = value_of(size);
	struct tc_list waiters;
	unsigned count = 0;

	tc_list_init(&waiters);
	tc_cache_end(cache, load, value, &waiters);
	while (tc_list_pop_front(&waiters))
		count++;
	return count;
}

static void test_one_loads(void **state)
{
	TC_CLEANUP(tc_cache_free) struct tc_cache *cache = make(0, 0);
	struct tc_cache_query one = query("one", "1");
	struct tc_cache_load *load = NULL;
	struct tc_list waiters[10];

	(void)state;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_LOAD);
	for (unsigned i = 0; i < 10; i++) {
		tc_list_init(&waiters[i]);
		one.now_ms = 1000 - i % 2;
		assert_int_equal(find(cache, &one, &waiters[i], &load), TC_CACHE_WAIT);
	}
	assert_int_equal(end(cache, load, 10), 10);
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_HIT);
	one.now_ms = 1000;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_HIT);
	one.now_ms += TC_CACHE_AGE_MAX_MS - 1;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_HIT);
	one.now_ms++;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_LOAD);
	end(cache, load, 10);
}

static void drop_thing(struct tc_cache *cache)
{
	tc_cache_drop(cache, TC_ABOUT_INCIDENTS, "1");
}

static void drop_whole(struct tc_cache *cache)
{
	tc_cache_drop(cache, TC_ABOUT_INCIDENTS, NULL);
}

/* Whatever was dropped: who asked before gets the old answer, who asks after does not wait for it, and whichever
 * load ends last the new one stays. */
static void test_an_older_load_never_overwrites(void **state)
{
	void (*const drops[])(struct tc_cache *) = {drop_thing, drop_whole, tc_cache_drop_all};

	(void)state;
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(drops); i++) {
		TC_CLEANUP(tc_cache_free) struct tc_cache *cache = make(0, 0);
		const struct tc_cache_query one = query("one", "1");
		struct tc_cache_load *older = NULL, *newer = NULL, *none = NULL;
		struct tc_cache_value *value = NULL;
		struct tc_list early, late;

		tc_list_init(&early);
		tc_list_init(&late);
		assert_int_equal(find(cache, &one, NULL, &older), TC_CACHE_LOAD);
		assert_int_equal(find(cache, &one, &early, &none), TC_CACHE_WAIT);
		drops[i](cache);
		assert_int_equal(find(cache, &one, NULL, &newer), TC_CACHE_LOAD);
		assert_int_equal(find(cache, &one, &late, &none), TC_CACHE_WAIT);
		assert_int_equal(end(cache, newer, 20), 1);
		assert_int_equal(end(cache, older, 10), 1);
		assert_int_equal(tc_cache_find(cache, &one, NULL, &value, &none), TC_CACHE_HIT);
		assert_true(tc_cache_value_size(value) >= 20 &&
			    tc_http_answer_length(tc_cache_value_choose(value, NULL)) == 20);
		tc_cache_value_unref(value);
		/* Nor is it kept where nobody asked in between. */
		drops[i](cache);
		assert_int_equal(find(cache, &one, NULL, &older), TC_CACHE_LOAD);
		drops[i](cache);
		end(cache, older, 10);
		assert_int_equal(find(cache, &one, NULL, &older), TC_CACHE_LOAD);
		end(cache, older, 10);
	}
}

static void test_what_a_drop_reaches(void **state)
{
	TC_CLEANUP(tc_cache_free) struct tc_cache *cache = make(0, 0);
	const struct tc_cache_query one = query("one", "1"), list = query("list", NULL);
	struct tc_cache_load *load = NULL;

	(void)state;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_LOAD);
	end(cache, load, 10);
	assert_int_equal(find(cache, &list, NULL, &load), TC_CACHE_LOAD);
	end(cache, load, 10);
	tc_cache_drop(cache, TC_ABOUT_CATALOG, NULL);
	assert_int_equal(find(cache, &list, NULL, &load), TC_CACHE_HIT);
	tc_cache_drop(cache, TC_ABOUT_INCIDENTS, "2");
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_HIT);
	assert_int_equal(find(cache, &list, NULL, &load), TC_CACHE_LOAD);
	end(cache, load, 10);
	tc_cache_drop_lists(cache, TC_ABOUT_INCIDENTS);
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_HIT);
	assert_int_equal(find(cache, &list, NULL, &load), TC_CACHE_LOAD);
	end(cache, load, 10);
}

static void fill(struct tc_cache *cache, size_t size)
{
	for (unsigned i = 0; i < KEYS; i++) {
		struct tc_cache_load *load = NULL;
		char key[12];
		struct tc_cache_query wanted;

		snprintf(key, sizeof(key), "%u", i);
		wanted = query(key, NULL);
		if (find(cache, &wanted, NULL, &load) == TC_CACHE_LOAD)
			end(cache, load, size);
	}
}

static void test_bounds(void **state)
{
	TC_CLEANUP(tc_cache_free) struct tc_cache *few = make(10, 0);
	TC_CLEANUP(tc_cache_free) struct tc_cache *small = make(0, 5000);
	const struct tc_cache_query last = query("99", NULL);
	struct tc_cache_load *load = NULL;
	struct tc_cache_stats stats;

	(void)state;
	fill(few, 10);
	tc_cache_get_stats(few, &stats);
	assert_int_equal(stats.entries, 10);
	assert_int_equal(stats.evicted, KEYS - 10);
	assert_int_equal(find(few, &last, NULL, &load), TC_CACHE_HIT);
	fill(small, 1000);
	tc_cache_get_stats(small, &stats);
	assert_in_range(stats.bytes, 1000, 5000);
	assert_in_range(stats.entries, 1, 4);
	fill(small, 6000); /* too large for it at all */
	tc_cache_get_stats(small, &stats);
	assert_in_range(stats.bytes, 0, 5000);
}

static bool is_live(void *userdata)
{
	return *(bool *)userdata;
}

static void test_not_without_word_of_others(void **state)
{
	bool live = false;
	const struct tc_cache_options options = {.is_live = is_live, .userdata = &live};
	TC_CLEANUP(tc_cache_free) struct tc_cache *cache = NULL;
	const struct tc_cache_query one = query("one", "1");
	struct tc_cache_load *load = NULL;

	(void)state;
	assert_int_equal(tc_cache_new(&cache, &options, NULL), TOCSIN_OK);
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_BYPASS);
	live = true;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_LOAD);
	end(cache, load, 10);
	live = false;
	assert_int_equal(find(cache, &one, NULL, &load), TC_CACHE_BYPASS);
}

struct crew {
	struct tc_cache *cache;
	atomic_uint *truth; /* what a load reads */
};

/* Reads or writes; what is read is never older than what this thread wrote or saw before. */
static void *work(void *argument)
{
	struct crew *crew = argument;
	const struct tc_cache_query one = query("one", "1");
	unsigned seen = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct tc_cache_value *value = NULL;
		struct tc_cache_load *load = NULL;
		struct tc_list waiter;
		unsigned got = seen;

		tc_list_init(&waiter);
		if (i % 16 == 0) {
			seen = atomic_fetch_add(crew->truth, 1) + 1;
			tc_cache_drop(crew->cache, TC_ABOUT_INCIDENTS, "1");
			continue;
		}
		/* One reader only: nobody would answer a waiter here. */
		if (tc_cache_find(crew->cache, &one, &waiter, &value, &load) == TC_CACHE_HIT) {
			got = (unsigned)tc_http_answer_length(tc_cache_value_choose(value, NULL));
			tc_cache_value_unref(value);
		} else if (load) {
			got = atomic_load(crew->truth);
			end(crew->cache, load, got);
		}
		assert_true(got >= seen);
		seen = got;
	}
	return NULL;
}

static void *write_only(void *argument)
{
	struct crew *crew = argument;

	for (unsigned i = 0; i < 20000; i++) {
		atomic_fetch_add(crew->truth, 1);
		tc_cache_drop(crew->cache, TC_ABOUT_INCIDENTS, "1");
	}
	return NULL;
}

static void test_reader_beside_a_writer(void **state)
{
	TC_CLEANUP(tc_cache_free) struct tc_cache *cache = make(0, 0);
	atomic_uint truth = 1;
	struct crew crew = {.cache = cache, .truth = &truth};
	pthread_t writer;

	(void)state;
	assert_int_equal(tc_thread_start(&writer, "writer", write_only, &crew, NULL), TOCSIN_OK);
	work(&crew);
	pthread_join(writer, NULL);
}

static void test_etags(void **state)
{
	(void)state;
	assert_true(tc_etag_matches("\"a\"", "\"a\""));
	assert_true(tc_etag_matches("W/\"a\"", "\"a\""));
	assert_true(tc_etag_matches("\"b\" , W/\"a\"", "\"a\""));
	assert_true(tc_etag_matches("*", "\"a\""));
	assert_false(tc_etag_matches(NULL, "\"a\""));
	assert_false(tc_etag_matches("", "\"a\""));
	assert_false(tc_etag_matches("\"ab\"", "\"a\""));
	assert_false(tc_etag_matches("a", "\"a\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_loads),
		cmocka_unit_test(test_an_older_load_never_overwrites),
		cmocka_unit_test(test_what_a_drop_reaches),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_not_without_word_of_others),
		cmocka_unit_test(test_reader_beside_a_writer),
		cmocka_unit_test(test_etags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
