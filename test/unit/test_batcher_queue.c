/* test/unit/test_batcher_queue.c: what came first for a key is taken first, whichever way it waited.
 *
 * How each was seen to fail: without the question for incoming_count in tc_batch_queue_push the youngest item came before
 * those that a batch had left in `incoming`; with only items counted in batch_has_room a batch had more keys than it
 * has room for. */
#include "unit.h"

#include "core/work/batcher_queue.h"

#define KEY "key"

struct queue {
	struct tc_batch_queue queue;
	struct tc_batch *first, *second;
};

static void queue_init(struct queue *queue, unsigned batch_max)
{
	tc_batch_queue_init(&queue->queue, batch_max, 1000);
	queue->first = tc_batch_new(&queue->queue);
	queue->second = tc_batch_new(&queue->queue);
	assert_non_null(queue->first);
	assert_non_null(queue->second);
}

static void queue_deinit(struct queue *queue)
{
	assert_int_equal(queue->queue.queued, 0);
	tc_batch_free(queue->first);
	tc_batch_free(queue->second);
}

static void push_key(struct queue *queue, struct tc_item *item, const char *key,
		     const char *exclusive)
{
	*item = (struct tc_item){.key = key, .exclusive = exclusive};
	assert_true(tc_batch_queue_push(&queue->queue, item));
}

static void push(struct queue *queue, struct tc_item *item, const char *exclusive)
{
	push_key(queue, item, KEY, exclusive);
}

static void take(struct tc_batch *batch, const struct tc_item *wanted)
{
	tc_batch_collect(batch);
	assert_int_equal(batch->count, 1);
	assert_ptr_equal(batch->items[0], wanted);
}

/* All in `items` are taken and finished, one by one, in their order. */
static void finish_in_order(struct tc_batch *batch, struct tc_item *items, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		take(batch, &items[i]);
		items[i].state = TC_ITEM_DONE;
		tc_batch_settle(batch);
	}
}

/* The second was left behind as it excludes the first; the third came while the first ran. `is_moved`: another worker
 * looked meanwhile, and put into the key what waits for it. */
static void run_exclusive(bool is_moved)
{
	struct queue queue;
	struct tc_item items[4];

	queue_init(&queue, 10);
	push(&queue, &items[0], "alert");
	push(&queue, &items[1], "alert");
	take(queue.first, &items[0]);
	push(&queue, &items[2], "alert");
	if (is_moved) {
		tc_batch_collect(queue.second);
		assert_int_equal(queue.second->count, 0);
	}
	push(&queue, &items[3], "alert");
	items[0].state = TC_ITEM_DONE;
	tc_batch_settle(queue.first);
	finish_in_order(queue.second, items + 1, 3);
	queue_deinit(&queue);
}

static void test_exclusive(void **state)
{
	(void)state;
	run_exclusive(false);
	run_exclusive(true);
}

/* The second was left behind as the batch was full. */
static void test_full_batch(void **state)
{
	struct queue queue;
	struct tc_item items[3];

	(void)state;
	queue_init(&queue, 1);
	push(&queue, &items[0], NULL);
	push(&queue, &items[1], NULL);
	take(queue.first, &items[0]);
	push(&queue, &items[2], NULL);
	items[0].state = TC_ITEM_DONE;
	tc_batch_settle(queue.first);
	finish_in_order(queue.second, items + 1, 2);
	queue_deinit(&queue);
}

/* The first found the key held elsewhere: it goes again before those who came after it, however they wait. */
static void test_busy(void **state)
{
	struct queue queue;
	struct tc_item items[3];
	struct tc_batch_key *key;

	(void)state;
	queue_init(&queue, 1);
	push(&queue, &items[0], NULL);
	push(&queue, &items[1], NULL);
	take(queue.first, &items[0]);
	items[0].state = TC_ITEM_BUSY;
	tc_batch_settle(queue.first);
	push(&queue, &items[2], NULL);
	key = tc_batch_queue_get_contended(&queue.queue);
	assert_non_null(key);
	tc_batch_attend(queue.first, key);
	assert_int_equal(queue.first->count, 1);
	assert_ptr_equal(queue.first->items[0], &items[0]);
	items[0].state = TC_ITEM_DONE;
	tc_batch_settle(queue.first);
	finish_in_order(queue.second, items + 1, 2);
	queue_deinit(&queue);
}

/* Keys held elsewhere, more than a batch has room for, are due at once, and what waits for them excludes each other. */
static void test_more_keys_than_items(void **state)
{
	static const char *const keys[] = {"a", "b", "c", "d", "e"};
	struct queue queue;
	struct tc_item items[TC_ARRAY_LENGTH(keys)];

	(void)state;
	queue_init(&queue, 2);
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(keys); i++)
		push_key(&queue, &items[i], keys[i], "alert");
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(keys); i++) {
		take(queue.first, &items[i]);
		items[i].state = TC_ITEM_BUSY;
		tc_batch_settle(queue.first);
		((struct tc_batch_key *)items[i].slot)->retry_ms = UINT64_MAX;
	}
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(keys); i++)
		((struct tc_batch_key *)items[i].slot)->retry_ms = 0;
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(keys); i++) {
		tc_batch_collect(queue.first);
		assert_int_equal(queue.first->count, 1);
		assert_in_range(queue.first->keys_count, 1, 2);
		queue.first->items[0]->state = TC_ITEM_DONE;
		tc_batch_settle(queue.first);
	}
	queue_deinit(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive),
		cmocka_unit_test(test_full_batch),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_more_keys_than_items),
	};

	return cmocka_run_group_tests_name("batcher_queue", tests, NULL, NULL);
}
