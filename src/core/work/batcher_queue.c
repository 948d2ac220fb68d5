/* core/work/batcher_queue.c: the queues of the batcher (batcher_queue.h has the model). */
#include "core/work/batcher_queue.h"

#include "base/clock.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- keys --- */

static struct tc_list *key_bucket(struct tc_batch_queue *q, const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return &q->buckets[hash % TC_BATCHER_BUCKETS];
}

/* NULL if memory ran out. */
static struct tc_batch_key *key_find_or_new(struct tc_batch_queue *q, const char *text)
{
	struct tc_list *bucket = key_bucket(q, text);
	size_t size = strlen(text) + 1;
	struct tc_batch_key *key;

	tc_list_each (node, bucket) {
		key = tc_list_entry(node, struct tc_batch_key, bucket);
		if (strcmp(key->text, text) == 0)
			return key;
	}
	key = malloc(sizeof(*key) + size);
	if (!key)
		return NULL;
	*key = (struct tc_batch_key){.items_count = 0};
	memcpy(key->text, text, size);
	tc_list_init(&key->contended);
	tc_list_init(&key->items);
	tc_list_push_back(bucket, &key->bucket);
	return key;
}

static bool key_is_contended(const struct tc_batch_key *key)
{
	return !tc_list_is_empty(&key->contended);
}

static void key_attend(struct tc_batch_key *key, struct tc_batch *batch)
{
	tc_list_remove(&key->contended);
	key->batch = batch;
	batch->keys[batch->keys_count++] = key;
}

static void item_wait(struct tc_batch_queue *q, struct tc_item *item, uint64_t now_us)
{
	if (item->waits_since_us)
		return;
	item->waits_since_us = now_us;
	q->waited++;
}

/* Others came while the batch that found the key held had it. */
static void key_wait(struct tc_batch_queue *q, struct tc_batch_key *key, uint64_t now_us)
{
	tc_list_each (node, &key->items)
		item_wait(q, tc_list_entry(node, struct tc_item, node), now_us);
}

/* The batch lets go of the key: it is contended, or what waits for it goes first. */
static void key_leave(struct tc_batch_queue *q, struct tc_batch_key *key, uint64_t now_us)
{
	key->batch = NULL;
	if (key->is_busy) {
		if (!key->was_busy)
			key_wait(q, key, now_us);
		key->retry_ms = tc_clock_ms() + TC_BATCHER_RETRY_MS;
		tc_list_push_back(&q->contended, &key->contended);
	} else if (!tc_list_is_empty(&key->items)) {
		tc_list_splice_back(&key->items, &q->incoming);
		tc_list_splice_back(&q->incoming, &key->items);
		key->incoming_count = key->items_count;
	} else if (key->items_count == 0) {
		tc_list_remove(&key->bucket);
		free(key);
	}
}

/* --- batches --- */

struct tc_batch *tc_batch_new(struct tc_batch_queue *queue)
{
	TC_CLEANUP(tc_batch_free) struct tc_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->queue = queue;
	batch->items = calloc(queue->batch_max, sizeof(*batch->items));
	batch->keys = calloc(queue->batch_max, sizeof(*batch->keys));
	if (!batch->items || !batch->keys)
		return NULL;
	return tc_take(batch);
}

struct tc_batch *tc_batch_free(struct tc_batch *batch)
{
	if (!batch)
		return NULL;
	free(batch->items);
	free(batch->keys);
	free(batch);
	return NULL;
}

/* Batches are small and few items exclude others, so looking at all is cheap. */
static bool batch_excludes(const struct tc_batch *batch, const struct tc_item *item)
{
	if (!item->exclusive)
		return false;
	for (unsigned i = 0; i < batch->count; i++) {
		const char *other = batch->items[i]->exclusive;

		if (other && strcmp(other, item->exclusive) == 0)
			return true;
	}
	return false;
}

static bool batch_is_full(const struct tc_batch *batch)
{
	return batch->count == batch->queue->batch_max;
}

/* There may be more keys than items: all that waits for a key may exclude what the batch has. */
static bool batch_has_room(const struct tc_batch *batch)
{
	return !batch_is_full(batch) && batch->keys_count < batch->queue->batch_max;
}

static void batch_take(struct tc_batch *batch, struct tc_item *item)
{
	batch->items[batch->count++] = item;
	batch->queue->queued--;
}

static void batch_add_contended(struct tc_batch *batch, struct tc_batch_key *key)
{
	key_attend(key, batch);
	tc_list_each (node, &key->items) {
		struct tc_item *item = tc_list_entry(node, struct tc_item, node);

		if (batch_is_full(batch))
			break;
		if (batch_excludes(batch, item))
			continue;
		tc_list_remove(node);
		batch_take(batch, item);
	}
}

void tc_batch_collect(struct tc_batch *batch)
{
	struct tc_batch_queue *q = batch->queue;
	uint64_t now_ms = tc_clock_ms();
	struct tc_list deferred, *node;

	tc_list_init(&deferred);
	batch->count = batch->keys_count = 0;
	tc_list_each (contended, &q->contended) {
		struct tc_batch_key *key = tc_list_entry(contended, struct tc_batch_key, contended);

		if (key->retry_ms > now_ms || !batch_has_room(batch))
			break;
		batch_add_contended(batch, key);
	}
	while (batch_has_room(batch) && (node = tc_list_pop_front(&q->incoming))) {
		struct tc_item *item = tc_list_entry(node, struct tc_item, node);
		struct tc_batch_key *key = item->slot;

		key->incoming_count--;
		if (key_is_contended(key) || (key->batch && key->batch != batch)) {
			if (key->is_busy)
				item_wait(q, item, tc_clock_us());
			tc_list_push_back(&key->items, node);
		} else if (batch_excludes(batch, item)) {
			key->incoming_count++;
			tc_list_push_back(&deferred, node);
		} else {
			if (!key->batch)
				key_attend(key, batch);
			batch_take(batch, item);
		}
	}
	tc_list_splice_back(&deferred, &q->incoming);
	tc_list_splice_back(&q->incoming, &deferred);
}

static void item_expire(const struct tc_batch_queue *q, struct tc_item *item, uint64_t now_us)
{
	if (now_us < item->queued_us + q->wait_timeout_us)
		return;
	item->state = TC_ITEM_FAILED;
	tocsin_error_set(&item->error, TOCSIN_E_LOCK_TIMEOUT,
			 "Lock \"%.400s\" was not granted in time", item->key);
}

static void item_end(struct tc_batch_queue *q, const struct tc_item *item, uint64_t now_us)
{
	if (item->waits_since_us)
		q->wait_us += now_us - item->waits_since_us;
	q->timeouts += item->state == TC_ITEM_FAILED && item->error.code == TOCSIN_E_LOCK_TIMEOUT;
}

void tc_batch_settle(struct tc_batch *batch)
{
	struct tc_batch_queue *q = batch->queue;
	uint64_t now_us = tc_clock_us();
	unsigned kept = batch->count;

	for (unsigned i = 0; i < batch->keys_count; i++) {
		batch->keys[i]->was_busy = batch->keys[i]->is_busy;
		batch->keys[i]->is_busy = false;
	}
	for (unsigned i = batch->count; i-- > 0;) {
		struct tc_item *item = batch->items[i];
		struct tc_batch_key *key = item->slot;

		assert(key->batch == batch);
		if (item->state == TC_ITEM_BUSY) {
			item_wait(q, item, now_us);
			item_expire(q, item, now_us);
		}
		if (item->state == TC_ITEM_BUSY || item->state == TC_ITEM_AGAIN) {
			key->is_busy |= item->state == TC_ITEM_BUSY;
			tc_list_push_front(&key->items, &item->node);
			q->queued++;
		} else {
			item_end(q, item, now_us);
			key->items_count--;
			batch->items[--kept] = item;
		}
	}
	memmove(batch->items, batch->items + kept, (batch->count - kept) * sizeof(*batch->items));
	batch->count -= kept;
	for (unsigned i = 0; i < batch->keys_count; i++)
		key_leave(q, batch->keys[i], now_us);
	batch->keys_count = 0;
}

void tc_batch_attend(struct tc_batch *batch, struct tc_batch_key *key)
{
	batch->count = batch->keys_count = 0;
	batch_add_contended(batch, key);
}

/* --- the queue --- */

void tc_batch_queue_init(struct tc_batch_queue *queue, unsigned batch_max, unsigned wait_timeout_ms)
{
	queue->queued = 0;
	queue->waited = queue->timeouts = queue->wait_us = 0;
	queue->batch_max = batch_max;
	queue->wait_timeout_us = (uint64_t)wait_timeout_ms * 1000;
	tc_list_init(&queue->incoming);
	tc_list_init(&queue->contended);
	for (unsigned i = 0; i < TC_BATCHER_BUCKETS; i++)
		tc_list_init(&queue->buckets[i]);
}

bool tc_batch_queue_push(struct tc_batch_queue *queue, struct tc_item *item)
{
	struct tc_batch_key *key = key_find_or_new(queue, item->key);

	if (!key)
		return false;
	key->items_count++;
	item->slot = key;
	item->queued_us = tc_clock_us();
	item->waits_since_us = 0;
	if (key->is_busy)
		item_wait(queue, item, item->queued_us);
	if (key->incoming_count == 0 && (key->batch || key_is_contended(key))) {
		tc_list_push_back(&key->items, &item->node);
	} else {
		tc_list_push_back(&queue->incoming, &item->node);
		key->incoming_count++;
	}
	queue->queued++;
	return true;
}

struct tc_batch_key *tc_batch_queue_get_contended(const struct tc_batch_queue *queue)
{
	if (tc_list_is_empty(&queue->contended))
		return NULL;
	return tc_list_entry(queue->contended.next, struct tc_batch_key, contended);
}

void tc_batch_queue_count(const struct tc_batch_queue *queue, unsigned *ret_keys,
			  unsigned *ret_items)
{
	unsigned keys = 0, items = 0;

	for (unsigned i = 0; i < TC_BATCHER_BUCKETS; i++) {
		tc_list_each (node, &queue->buckets[i]) {
			struct tc_batch_key *key = tc_list_entry(node, struct tc_batch_key, bucket);

			if (key->is_busy) {
				keys++;
				items += key->items_count;
			}
		}
	}
	*ret_keys = keys;
	*ret_items = items;
}
