/* core/cache/cache.h: answers of reads, kept for a moment, so that what many ask is read once.
 *
 * Model. A key names a procedure, its input and what the caller may see; its entry is either being loaded,
 * by exactly one caller for whom the others wait (single flight), or has a value. What a value depends on
 * are counters: one of everything, one of each subject as a whole, one of a subject's lists, one of each
 * single thing (which share TC_CACHE_THINGS counters by hash: two things of one counter are only dropped
 * together). Dropping is counting up. A load notes its counters BEFORE it starts: if one has moved since, its
 * value is never kept, and nobody who asks after the drop waits for it. So an older load cannot undo a newer drop.
 *
 * Visibility is decided per request: what the caller may see (all rules, and whether anybody is known) is
 * part of the key, and the router judges the caller before it looks here.
 *
 * Bounds: entries and bytes (the least recently used go first), the age (TC_CACHE_AGE_MAX_MS from the START of
 * the load). Without word of other nodes' changes (`is_live` false) nothing is kept and nothing is found.
 *
 * Threads: everything may be called from any thread; nothing blocks but for a mutex held for moments. Drops
 * take none. */
#pragma once

#include "base/list.h"
#include "base/macro.h"
#include "http/answer.h"
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/error.h>

#define TC_CACHE_ENTRIES_MAX 8192u
#define TC_CACHE_BYTES_MAX   ((size_t)64 * 1024 * 1024)
#define TC_CACHE_VALUE_MAX   ((size_t)1024 * 1024) /* a larger answer is not kept */
#define TC_CACHE_AGE_MAX_MS  15000u
#define TC_CACHE_KEY_MAX     1024u
#define TC_CACHE_THINGS      4096u

/* What answers are about; a procedure's row says it (procedure.h). */
enum {
	TC_ABOUT_INCIDENTS = 1u << 0,
	TC_ABOUT_CATALOG = 1u << 1,
	TC_ABOUT_COUNT = 2 /* how many there are */
};

/* --- values --- */

#define TC_ETAG_SIZE 25 /* 22 characters of base64url in quotes, NUL */

/* An answer and the 304 that stands for it; shared. */
struct tc_cache_value;

/* Takes references to both over, also where it fails (NULL: no memory). */
struct tc_cache_value *tc_cache_value_new(struct tc_http_answer *full,
					  struct tc_http_answer *unchanged,
					  const char etag[static TC_ETAG_SIZE]);
struct tc_cache_value *tc_cache_value_ref(struct tc_cache_value *value);
/* NULL allowed, returns NULL. */
struct tc_cache_value *tc_cache_value_unref(struct tc_cache_value *value);
TC_DEFINE_CLEANUP(struct tc_cache_value *, tc_cache_value_unref);
size_t tc_cache_value_size(const struct tc_cache_value *value); /* bytes */
/* Borrowed: the 304 if `if_none_match` (may be NULL) has the value's ETag. */
struct tc_http_answer *tc_cache_value_choose(const struct tc_cache_value *value,
					     const char *if_none_match);
/* True if the header's value names `etag`; weak comparison (RFC 9110, section 13.1.2). */
bool tc_etag_matches(const char *if_none_match, const char *etag);

/* --- the cache --- */

struct tc_cache;
struct tc_cache_load; /* who has one loads, and must end it */

struct tc_cache_options {
	unsigned entries_max;            /* 0: TC_CACHE_ENTRIES_MAX */
	size_t bytes_max;                /* 0: TC_CACHE_BYTES_MAX */
	bool (*is_live)(void *userdata); /* NULL: always */
	void *userdata;
};

int tc_cache_new(struct tc_cache **ret_cache, const struct tc_cache_options *options,
		 struct tocsin_error *error);
/* No load may be under way. NULL allowed, returns NULL. */
struct tc_cache *tc_cache_free(struct tc_cache *cache);
TC_DEFINE_CLEANUP(struct tc_cache *, tc_cache_free);

struct tc_cache_query {
	const char *key; /* any bytes, 1 to TC_CACHE_KEY_MAX */
	size_t key_length;
	unsigned about;    /* TC_ABOUT_* */
	const char *thing; /* the one thing it is about; NULL: lists */
	uint64_t now_ms;   /* tc_clock_ms() */
};

enum tc_cache_outcome {
	TC_CACHE_HIT,  /* *ret_value is a reference, owned by the caller */
	TC_CACHE_LOAD, /* *ret_load: the caller is to load */
	TC_CACHE_WAIT, /* somebody loads: `waiter` is in its queue, and comes out of tc_cache_end */
	TC_CACHE_BYPASS /* load, and keep nothing */
};

enum tc_cache_outcome tc_cache_find(struct tc_cache *cache, const struct tc_cache_query *query,
				    struct tc_list *waiter, struct tc_cache_value **ret_value,
				    struct tc_cache_load **ret_load);

/* Ends a load, which is gone after. `value` (borrowed; NULL: there is none to keep) is kept unless something
 * it depends on was dropped meanwhile. Those who waited for it are moved to `ret_waiters`: they asked before any
 * such drop, and get the same answer. */
void tc_cache_end(struct tc_cache *cache, struct tc_cache_load *load, struct tc_cache_value *value,
		  struct tc_list *ret_waiters);

/* Drops what depends on one thing, and the subject's lists; `thing` NULL: on anything of these subjects. */
void tc_cache_drop(struct tc_cache *cache, unsigned about, const char *thing);
/* The lists of these subjects only: something came to be that was not there. */
void tc_cache_drop_lists(struct tc_cache *cache, unsigned about);
void tc_cache_drop_all(struct tc_cache *cache);

struct tc_cache_stats {
	unsigned entries;
	size_t bytes;
	uint64_t hits, loads, waits, bypasses, evicted;
};
void tc_cache_get_stats(struct tc_cache *cache, struct tc_cache_stats *ret_stats);
