/* core/work/batcher_queue.h: inside the batcher: which item waits where, and what a batch takes. No threads, no
 * database: the batcher calls this with its mutex held.
 *
 * Each key with unfinished items has a `struct tc_batch_key`, which is free, attended (a running batch has
 * it) or contended (found held elsewhere; nobody has it). Items of a free key are in `incoming`; those of
 * another wait in the key, in the order they came in, so two batches of one node never try a key against
 * each other, and a hot key costs one thread and one connection.
 *
 *   incoming --collect--> a batch --settle--> finished
 *      ^                              | BUSY: the key is contended, its items wait in it
 *      |                              v
 *      +---settle--- a batch <--attend-- contended
 *
 * A contended key that no waiter attends to (they are few) is collected again after
 * TC_BATCHER_RETRY_MS: PostgreSQL tells only those who hold a connection that a lock came free, and not
 * every key may have one. */
#pragma once

#include "core/work/batcher.h"
#include <stdbool.h>

#define TC_BATCHER_BUCKETS  1024u
#define TC_BATCHER_RETRY_MS 25u

struct tc_batch;

struct tc_batch_key {
	struct tc_list bucket;    /* in queue->buckets */
	struct tc_list contended; /* in queue->contended, if contended */
	struct tc_list items;     /* what waits for it, oldest first, and before incoming */
	struct tc_batch *batch;   /* the running batch that has it, if attended */
	unsigned items_count;    /* unfinished, wherever they are; the last takes the key with it */
	unsigned incoming_count; /* those in queue->incoming: who comes now is behind them */
	uint64_t retry_ms;       /* contended: when to try it again */
	bool is_busy;            /* held elsewhere, as far as we know */
	bool was_busy;           /* before the batch that is settled */
	char text[];
};

struct tc_batch_queue {
	struct tc_list incoming, contended;
	struct tc_list buckets[TC_BATCHER_BUCKETS];
	unsigned queued; /* items in `incoming` and in keys */
	unsigned batch_max;
	uint64_t wait_timeout_us;
	uint64_t waited, timeouts, wait_us; /* see struct tc_batcher_stats */
};

/* One thread's batch; reused. */
struct tc_batch {
	struct tc_batch_queue *queue;
	void *batcher; /* its owner's */
	unsigned count, keys_count;
	struct tc_item **items;     /* batch_max */
	struct tc_batch_key **keys; /* batch_max; the distinct keys it has */
};

void tc_batch_queue_init(struct tc_batch_queue *queue, unsigned batch_max,
			 unsigned wait_timeout_ms);

/* False if memory ran out. */
bool tc_batch_queue_push(struct tc_batch_queue *queue, struct tc_item *item);
/* The contended key whose retry comes first; NULL: none is contended. */
struct tc_batch_key *tc_batch_queue_get_contended(const struct tc_batch_queue *queue);
/* How many keys are held elsewhere, and the items that wait for them. */
void tc_batch_queue_count(const struct tc_batch_queue *queue, unsigned *ret_keys,
			  unsigned *ret_items);

/* NULL if memory ran out. */
struct tc_batch *tc_batch_new(struct tc_batch_queue *queue);
struct tc_batch *tc_batch_free(struct tc_batch *batch);
TC_DEFINE_CLEANUP(struct tc_batch *, tc_batch_free);

/* Fills an empty batch from contended keys whose time has come and from `incoming`. */
void tc_batch_collect(struct tc_batch *batch);
/* Fills an empty batch with a contended key's items. */
void tc_batch_attend(struct tc_batch *batch, struct tc_batch_key *key);
/* Puts BUSY and AGAIN items back, before those that came later, and lets go of the keys. What stays in
 * the batch is to be finished. */
void tc_batch_settle(struct tc_batch *batch);
