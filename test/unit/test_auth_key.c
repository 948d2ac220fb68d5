/* API keys as text. */
#include "modules/auth/auth_cache.h"
#include "modules/auth/auth_key.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID     "0190a0b0-0000-7000-8000-0123456789ab"
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* bytes 0 to 31 */

static void test_new_key_reads_back(void **state)
{
	struct tc_auth_key made, read;
	char text[TC_AUTH_KEY_SIZE], other[TC_AUTH_KEY_SIZE];

	(void)state;
	assert_int_equal(tc_auth_key_new(&made, text, NULL), TOCSIN_OK);
	assert_int_equal(strlen(text), TC_AUTH_KEY_SIZE - 1);
	assert_true(tc_auth_key_parse(text, &read));
	assert_string_equal(read.id, made.id);
	assert_true(tc_auth_key_is_equal(read.hash, made.hash));
	assert_int_equal(tc_auth_key_new(&made, other, NULL), TOCSIN_OK);
	assert_string_not_equal(text, other);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool is_key;
	} cases[] = {
		{"tocsin_" ID "_" SECRET, true},
		{"tocsin_0190A0B0-0000-7000-8000-0123456789AB_" SECRET, true},
		{"", false},
		{"tocsin_", false},
		{"Tocsin_" ID "_" SECRET, false},
		{"tocsin_" ID "-" SECRET, false},
		{"tocsin_" ID "_" SECRET "A", false},
		{"tocsin_0190a0b0-0000-7000-8000-0123456789a_A" SECRET, false},
		{"tocsin_0190a0b0x0000-7000-8000-0123456789ab_" SECRET, false},
		{"tocsin_" ID "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+",
		 false}, /* not base64url */
		{"tocsin_" ID "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",
		 false}, /* bits no encoder writes */
		{"tocsin_" ID "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh=", false},
		{"tocsin_" ID "_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH ", false},
	};
	struct tc_auth_key key;

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(cases); i++)
		if (tc_auth_key_parse(cases[i].text, &key) != cases[i].is_key)
			fail_msg("\"%s\" is%s a key", cases[i].text, cases[i].is_key ? "" : " not");
}

/* Every character of the secret and the id counts; the case of the id does not. */
static void test_hash_depends_on_all(void **state)
{
	char text[] = "tocsin_" ID "_" SECRET;
	struct tc_auth_key key, other;

	(void)state;
	assert_true(tc_auth_key_parse(text, &key));
	for (size_t i = strlen("tocsin_"); i < sizeof(text) - 1; i++) {
		char was = text[i];

		if (!isalnum((unsigned char)was))
			continue;
		text[i] = was == '4' ? '8'
				     : '4'; /* the last character too: both end in two zero bits */
		assert_true(tc_auth_key_parse(text, &other));
		assert_false(tc_auth_key_is_equal(key.hash, other.hash));
		text[i] = was;
	}
	assert_true(
		tc_auth_key_parse("tocsin_0190A0B0-0000-7000-8000-0123456789AB_" SECRET, &other));
	assert_true(tc_auth_key_is_equal(key.hash, other.hash));
	assert_string_equal(key.id, other.id);
}

static void test_header(void **state)
{
	struct tc_auth_key key;

	(void)state;
	assert_true(tc_auth_key_parse_header("Bearer tocsin_" ID "_" SECRET, &key));
	assert_true(tc_auth_key_parse_header("bEARER  tocsin_" ID "_" SECRET, &key));
	assert_false(tc_auth_key_parse_header("Basic tocsin_" ID "_" SECRET, &key));
	assert_false(tc_auth_key_parse_header("tocsin_" ID "_" SECRET, &key));
	assert_false(tc_auth_key_parse_header("Bearer", &key));
	assert_false(tc_auth_key_parse_header("", &key));
}

static void test_hash_as_bytea(void **state)
{
	struct tc_auth_key key;
	char hex[TC_AUTH_HASH_HEX_SIZE];
	unsigned char hash[TC_AUTH_HASH_SIZE];

	(void)state;
	assert_true(tc_auth_key_parse("tocsin_" ID "_" SECRET, &key));
	tc_auth_key_hash_format(&key, hex);
	assert_true(tc_auth_key_hash_parse(hex, hash));
	assert_true(tc_auth_key_is_equal(hash, key.hash));
	assert_false(tc_auth_key_hash_parse("\\x00", hash));
	hex[5] = 'g';
	assert_false(tc_auth_key_hash_parse(hex, hash));
}

/* --- the cache; fails when a put ignores the generation, or a get the time or the hash --- */

static struct tc_auth_cache cache;

static void test_cache(void **state)
{
	struct tc_auth_key key, wrong;
	struct tc_caller caller = {.rules = TC_RULE_INCIDENT_READ}, found;
	uint64_t generation;

	(void)state;
	tc_auth_cache_init(&cache);
	assert_true(tc_auth_key_parse("tocsin_" ID "_" SECRET, &key));
	wrong = key;
	wrong.hash[31] ^= 1;
	assert_false(tc_auth_cache_get(&cache, &key, 1000, &found));
	generation = tc_auth_cache_generation(&cache);
	tc_auth_cache_put(&cache, &key, &caller, generation, 2000);
	assert_true(tc_auth_cache_get(&cache, &key, 1999, &found));
	assert_int_equal(found.rules, TC_RULE_INCIDENT_READ);
	assert_false(tc_auth_cache_get(&cache, &wrong, 1999, &found));
	assert_false(tc_auth_cache_get(&cache, &key, 2000, &found));

	tc_auth_cache_drop(&cache, key.id);
	assert_false(tc_auth_cache_get(&cache, &key, 1000, &found));
	tc_auth_cache_put(&cache, &key, &caller, generation, 2000); /* asked before the drop */
	assert_false(tc_auth_cache_get(&cache, &key, 1000, &found));
	tc_auth_cache_put(&cache, &key, &caller, tc_auth_cache_generation(&cache), 2000);
	assert_true(tc_auth_cache_get(&cache, &key, 1000, &found));
	tc_auth_cache_drop(&cache, NULL);
	assert_false(tc_auth_cache_get(&cache, &key, 1000, &found));
	tc_auth_cache_deinit(&cache);
}

/* More keys than there is room for: the newest is always found, and nothing is written out of bounds. */
static void test_cache_is_bounded(void **state)
{
	struct tc_caller caller = {0}, found;

	(void)state;
	tc_auth_cache_init(&cache);
	for (unsigned i = 0; i < 3 * TC_AUTH_CACHE_SETS * TC_AUTH_CACHE_WAYS; i++) {
		struct tc_auth_key key = {0};

		snprintf(key.id, sizeof(key.id), "0190a0b0-0000-7000-8000-0123%08x", i);
		tc_auth_cache_put(&cache, &key, &caller, 0, 10000 + i);
		assert_true(tc_auth_cache_get(&cache, &key, 1, &found));
	}
	tc_auth_cache_deinit(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_key_reads_back),  cmocka_unit_test(test_parse),
		cmocka_unit_test(test_hash_depends_on_all), cmocka_unit_test(test_header),
		cmocka_unit_test(test_hash_as_bytea),       cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
