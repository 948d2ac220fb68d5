/* core/work/batcher.h: natural batching of work that must hold one advisory lock a key.
 *
 * Model. Items queue while a batch is under way; a free worker takes all that wait (alone at low load,
 * hundreds at high load). A worker borrows a lock-pool connection and hands the items to `run`, which
 * does everything in ONE transaction: try-lock each distinct key in sorted order, work for the locked
 * ones, commit. Items whose key was locked elsewhere come back as TC_ITEM_BUSY: they move to that
 * key's queue, where exactly one lock-pool connection waits for the key (in transaction), takes all
 * items that queued meanwhile, and runs them alone. A batch that fails is retried one item at a time,
 * so that one bad item harms no other, unless the database was silent for that long; nothing is finished before its
 * commit.
 *
 * Invariants: an item is in exactly one place: incoming queue, a running batch, or a key's queue;
 * it is finished exactly once; at most `waiters_max` connections wait for keys, one a key at most. */
#pragma once

#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/pool.h>

struct tc_batcher;

enum tc_item_state {
	TC_ITEM_DONE, /* result is in the item's owner; finish it */
	TC_ITEM_BUSY, /* the key is held elsewhere */
	TC_ITEM_AGAIN, /* not done through no fault of its own (its leader failed): put it in the next batch */
	TC_ITEM_FAILED /* item->error says why; finish it */
};

struct tc_item {
	struct tc_list node;
	const char *key;       /* lock key, owned by the item's owner */
	const char *exclusive; /* items with equal text never share a batch; NULL: no such rule */
	enum tc_item_state state;
	bool is_follower; /* set by `run`: shares the answer of another; finished after those that do not */
	uint64_t queued_us;
	uint64_t waits_since_us;   /* that its key was found held elsewhere; 0: it was not */
	struct tocsin_error error; /* when it failed */
	void *slot;                /* the batcher's own, from submit to finish */
};

struct tc_batcher_options {
	const char *name; /* metrics and thread names; at most 9 bytes */
	struct tocsin_pool *lock_pool;
	unsigned workers;     /* batches under way at once */
	unsigned waiters_max; /* connections that wait for contended keys */
	unsigned queue_max;   /* items waiting in all, before submit says FULL */
	unsigned batch_max;   /* items in one batch */
	unsigned
		wait_timeout_ms; /* an item waits for its contended key at most this long: LOCK_TIMEOUT */
	/* A batch whose connection was lost, or whose answer did not come, is not tried again after this long: its items
	 * fail. 0: TC_QUERY_TIMEOUT_MS, so that one that waited for as long as a query may take is not */
	unsigned retry_ms;
	/* Runs items in one transaction, on `connection`; sets each item's state, DONE or BUSY or AGAIN
	 * or FAILED. `wait_key`: wait for this key first (it is every item's key). A failure of the
	 * whole is returned: nothing was committed (or, for a lost connection, it is not known). */
	int (*run)(struct tocsin_connection *connection, struct tc_item **items, unsigned count,
		   const char *wait_key, void *userdata, struct tocsin_error *error);
	/* Called once an item, on a batcher thread, never with a lock held. */
	void (*finish)(struct tc_item *item, void *userdata);
	void *userdata;
};

struct tc_batcher_stats {
	unsigned queued, contended_keys, contended_items;
	uint64_t batches, items;
	/* Items whose key was held elsewhere; those that failed as a lock was not granted in time; and how long
	 * items that are finished had waited. */
	uint64_t waited, timeouts, wait_us;
};

int tc_batcher_new(struct tc_batcher **ret_batcher, const struct tc_batcher_options *options,
		   struct tocsin_error *error);
/* Finishes what is queued, joins the threads, frees. NULL allowed, returns NULL. */
struct tc_batcher *tc_batcher_free(struct tc_batcher *batcher);
/* TOCSIN_OK, FULL or CLOSED. Does not block. The item is the batcher's until finish. */
int tc_batcher_submit(struct tc_batcher *batcher, struct tc_item *item);
/* For `run` that waits: milliseconds until the first of its items has waited for `timeout_ms`; at least 1. */
uint64_t tc_batcher_remaining_ms(struct tc_item *const *items, unsigned count, unsigned timeout_ms);
void tc_batcher_get_stats(struct tc_batcher *batcher, struct tc_batcher_stats *ret_stats);
