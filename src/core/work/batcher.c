/* core/work/batcher.c: the threads of natural batching (batcher.h has the model, batcher_queue.h the queues).
 *
 * Workers run what is collected; waiters run one contended key each, and wait for it in PostgreSQL.
 *
 * Locking: one mutex over all queues; never held while the database or an owner is called. */
#include "core/work/batcher.h"

#include "base/clock.h"
#include "base/thread.h"
#include "core/metrics.h"
#include "core/work/batcher_queue.h"
#include "pg/query.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Of one item by itself, while another attempt may help. */
#define TC_BATCHER_ATTEMPTS 3u
/* When a second batch starts beside one that is under way: see is_worth_a_batch. */
#define TC_BATCHER_OVERLAP_ITEMS 16u
#define TC_BATCHER_OVERLAP_MS    2u

struct tc_batcher {
	struct tc_batcher_options options;
	pthread_mutex_t mutex;
	pthread_cond_t work;    /* for workers: incoming, contended or is_closing changed */
	pthread_cond_t contest; /* for waiters: contended or is_closing changed */
	struct tc_batch_queue queue;
	unsigned pending; /* items not finished */
	uint64_t batches, items;
	unsigned running; /* batches in the database */
	bool is_closing;
	unsigned threads_count;
	pthread_t *threads;
};

/* --- running; without the mutex --- */

struct attempts {
	const char *wait_key;
	uint64_t until_ms; /* when the last begins */
};

static void fail_items(struct tc_batch *batch, unsigned from, const struct tocsin_error *error)
{
	for (unsigned i = from; i < batch->count; i++) {
		batch->items[i]->state = TC_ITEM_FAILED;
		batch->items[i]->error = *error;
	}
}

/* Acquires, runs, releases. *ret_ran: whether it came to running. */
static int run_items(struct tc_batcher *b, struct tc_item **items, unsigned count,
		     const char *wait_key, bool *ret_ran, struct tocsin_error *error)
{
	struct tocsin_connection *connection;
	int r = tocsin_pool_acquire(b->options.lock_pool, &connection, error);

	*ret_ran = r == TOCSIN_OK;
	if (r)
		return r;
	r = b->options.run(connection, items, count, wait_key, b->options.userdata, error);
	tocsin_pool_release(connection);
	return r;
}

/* The database does not answer; who waits has done so for long, and the next attempt would take as long. */
static bool is_over_time(int result, uint64_t retry_until_ms)
{
	return result == TOCSIN_E_UNAVAILABLE && tc_clock_ms() >= retry_until_ms;
}

/* One item by itself, again while another attempt may help. What a lost connection leaves unknown, the
 * next attempt finds out: `run` recognises its own earlier success. */
static int run_alone(struct tc_batch *batch, unsigned index, const struct attempts *attempts,
		     bool *ret_ran, struct tocsin_error *error)
{
	int r = TOCSIN_OK;

	for (unsigned attempt = 0; attempt < TC_BATCHER_ATTEMPTS; attempt++) {
		r = run_items(batch->batcher, &batch->items[index], 1, attempts->wait_key, ret_ran,
			      error);
		if (!*ret_ran || is_over_time(r, attempts->until_ms) ||
		    (r != TOCSIN_E_UNAVAILABLE && r != TOCSIN_E_RETRY && r != TOCSIN_E_DEADLOCK))
			break;
	}
	return r;
}

static void run_one_by_one(struct tc_batch *batch, const struct attempts *attempts)
{
	struct tocsin_error error;

	for (unsigned i = 0; i < batch->count; i++) {
		bool has_run;
		int r = run_alone(batch, i, attempts, &has_run, &error);

		if (r == TOCSIN_OK)
			continue;
		if (r == TOCSIN_E_LOCK_TIMEOUT && attempts->wait_key) {
			batch->items[i]->state = TC_ITEM_BUSY;
			continue;
		}
		batch->items[i]->state = TC_ITEM_FAILED;
		batch->items[i]->error = error;
		if (!has_run || r == TOCSIN_E_UNAVAILABLE) { /* the others would fare no better */
			fail_items(batch, i + 1, &error);
			return;
		}
	}
}

static void batch_run(struct tc_batch *batch, const char *wait_key)
{
	struct tc_batcher *b = batch->batcher;
	const struct attempts attempts = {wait_key, tc_clock_ms() + b->options.retry_ms};
	struct tocsin_error error;
	bool has_run;
	int r;

	tc_metrics_batch(b->options.name, batch->count);
	r = run_items(b, batch->items, batch->count, wait_key, &has_run, &error);
	if (r == TOCSIN_OK)
		return;
	if (r == TOCSIN_E_LOCK_TIMEOUT &&
	    wait_key) { /* those whose time is over fail when settled */
		for (unsigned i = 0; i < batch->count; i++)
			batch->items[i]->state = TC_ITEM_BUSY;
	} else if (!has_run || is_over_time(r, attempts.until_ms)) {
		fail_items(batch, 0, &error);
	} else {
		run_one_by_one(batch, &attempts);
	}
}

/* --- threads; with the mutex held --- */

/* A statement costs much, an item in it little: while a batch is under way few items wait for its end
 * rather than make a small batch of their own. Many, or those that have waited long, do not. */
static bool is_worth_a_batch(const struct tc_batcher *b)
{
	return b->running == 0 || b->queue.queued >= TC_BATCHER_OVERLAP_ITEMS || b->is_closing;
}

/* One of each kind is enough: whoever takes less than all wakes the next. An item that only joins those
 * that wait for the end of a batch wakes nobody: the first of them did. */
static void wake(struct tc_batcher *b)
{
	if (!tc_list_is_empty(&b->queue.contended)) {
		pthread_cond_signal(&b->contest);
		pthread_cond_signal(&b->work);
	} else if (!tc_list_is_empty(&b->queue.incoming) &&
		   (is_worth_a_batch(b) || b->queue.queued == 1)) {
		pthread_cond_signal(&b->work);
	}
}

/* Of a storm on one key there are hundreds, and what came with them should not wait for them all. */
static void finish_followers_last(struct tc_batch *batch)
{
	const struct tc_batcher *b = batch->batcher;
	unsigned followers = 0;

	for (unsigned i = 0; i < batch->count; i++)
		if (batch->items[i]->is_follower)
			batch->items[followers++] = batch->items[i];
		else
			b->options.finish(batch->items[i], b->options.userdata);
	for (unsigned i = 0; i < followers; i++)
		b->options.finish(batch->items[i], b->options.userdata);
}

/* Drops the mutex meanwhile. */
static void batch_process(struct tc_batch *batch, const char *wait_key)
{
	struct tc_batcher *b = batch->batcher;

	b->batches++;
	b->items += batch->count;
	b->running += wait_key ? 0 : 1; /* one that waits for its key costs the database nothing */
	tc_mutex_unlock(&b->mutex);
	batch_run(batch, wait_key);
	tc_mutex_lock(&b->mutex);
	b->running -= wait_key ? 0 : 1;
	tc_batch_settle(batch);
	wake(b);
	tc_mutex_unlock(&b->mutex);
	finish_followers_last(batch);
	tc_mutex_lock(&b->mutex);
	b->pending -= batch->count;
	if (b->is_closing && b->pending == 0) {
		pthread_cond_broadcast(&b->work);
		pthread_cond_broadcast(&b->contest);
	}
}

static bool is_over(const struct tc_batcher *b)
{
	return b->is_closing && b->pending == 0;
}

/* Until contended keys are due, or one comes; false: the end. */
static bool worker_wait_contended(struct tc_batcher *b, bool *ret_due)
{
	struct tc_batch_key *key = tc_batch_queue_get_contended(&b->queue);

	if (is_over(b))
		return false;
	*ret_due = key && tc_clock_ms() >= key->retry_ms;
	if (!key)
		tc_cond_wait(&b->work, &b->mutex);
	else if (!*ret_due)
		tc_cond_wait_until(&b->work, &b->mutex, key->retry_ms);
	return true;
}

/* Until there is something to collect; false: the end. */
static bool worker_wait(struct tc_batcher *b)
{
	uint64_t patience_ms = 0; /* until when few items wait for the end of a batch */
	bool is_due = false;

	while (!is_due) {
		if (tc_list_is_empty(&b->queue.incoming)) {
			patience_ms = 0;
			if (!worker_wait_contended(b, &is_due))
				return false;
			continue;
		}
		if (is_worth_a_batch(b))
			return true;
		if (patience_ms == 0)
			patience_ms = tc_clock_ms() + TC_BATCHER_OVERLAP_MS;
		is_due = !tc_cond_wait_until(&b->work, &b->mutex, patience_ms);
	}
	return true;
}

static void *worker_main(void *argument)
{
	TC_CLEANUP(tc_batch_free) struct tc_batch *batch = argument;
	struct tc_batcher *b = batch->batcher;
	TC_LOCKED(&b->mutex);

	while (worker_wait(b)) {
		tc_batch_collect(batch);
		wake(b); /* what did not fit is for the next worker */
		if (batch->count > 0)
			batch_process(batch, NULL);
	}
	return NULL;
}

static void *waiter_main(void *argument)
{
	TC_CLEANUP(tc_batch_free) struct tc_batch *batch = argument;
	struct tc_batcher *b = batch->batcher;
	TC_LOCKED(&b->mutex);

	while (!is_over(b)) {
		struct tc_batch_key *key = tc_batch_queue_get_contended(&b->queue);

		if (!key) {
			tc_cond_wait(&b->contest, &b->mutex);
			continue;
		}
		tc_batch_attend(batch, key);
		wake(b);
		batch_process(batch, key->text);
	}
	return NULL;
}

/* --- the interface --- */

static int start_thread(struct tc_batcher *b, const char *role, void *(*main)(void *),
			struct tocsin_error *error)
{
	TC_CLEANUP(tc_batch_free) struct tc_batch *batch = tc_batch_new(&b->queue);
	char name[16];
	int r;

	if (!batch)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	batch->batcher = b;
	snprintf(name, sizeof(name), "%.9s-%s", b->options.name, role);
	r = tc_thread_start(&b->threads[b->threads_count], name, main, batch, error);
	if (r)
		return r;
	tc_take(batch);
	b->threads_count++;
	return TOCSIN_OK;
}

int tc_batcher_new(struct tc_batcher **ret_batcher, const struct tc_batcher_options *options,
		   struct tocsin_error *error)
{
	struct tc_batcher *b = calloc(1, sizeof(*b));
	int r = TOCSIN_OK;

	assert(options->workers > 0 && options->batch_max > 0);
	if (!b)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	b->options = *options;
	if (b->options.retry_ms == 0)
		b->options.retry_ms = TC_QUERY_TIMEOUT_MS;
	tc_mutex_init(&b->mutex);
	tc_cond_init(&b->work);
	tc_cond_init(&b->contest);
	tc_batch_queue_init(&b->queue, options->batch_max, options->wait_timeout_ms);
	b->threads = calloc(options->workers + options->waiters_max, sizeof(*b->threads));
	if (!b->threads)
		r = tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	for (unsigned i = 0; i < options->workers && r == TOCSIN_OK; i++)
		r = start_thread(b, "work", worker_main, error);
	for (unsigned i = 0; i < options->waiters_max && r == TOCSIN_OK; i++)
		r = start_thread(b, "wait", waiter_main, error);
	if (r) {
		tc_batcher_free(b);
		return r;
	}
	*ret_batcher = b;
	return TOCSIN_OK;
}

struct tc_batcher *tc_batcher_free(struct tc_batcher *batcher)
{
	if (!batcher)
		return NULL;
	tc_mutex_lock(&batcher->mutex);
	batcher->is_closing = true;
	pthread_cond_broadcast(&batcher->work);
	pthread_cond_broadcast(&batcher->contest);
	tc_mutex_unlock(&batcher->mutex);
	for (unsigned i = 0; i < batcher->threads_count; i++)
		pthread_join(batcher->threads[i], NULL);
	assert(batcher->pending == 0 && tc_list_is_empty(&batcher->queue.incoming));
	pthread_cond_destroy(&batcher->work);
	pthread_cond_destroy(&batcher->contest);
	pthread_mutex_destroy(&batcher->mutex);
	free(batcher->threads);
	free(batcher);
	return NULL;
}

int tc_batcher_submit(struct tc_batcher *batcher, struct tc_item *item)
{
	TC_LOCKED(&batcher->mutex);

	if (batcher->is_closing)
		return TOCSIN_E_CLOSED;
	if (batcher->queue.queued >= batcher->options.queue_max ||
	    !tc_batch_queue_push(&batcher->queue, item))
		return TOCSIN_E_FULL;
	batcher->pending++;
	wake(batcher);
	return TOCSIN_OK;
}

uint64_t tc_batcher_remaining_ms(struct tc_item *const *items, unsigned count, unsigned timeout_ms)
{
	uint64_t limit_us = (uint64_t)timeout_ms * 1000;
	uint64_t oldest_us = UINT64_MAX, waited_us;

	for (unsigned i = 0; i < count; i++)
		oldest_us = TC_MIN(oldest_us, items[i]->queued_us);
	waited_us = tc_clock_us() - oldest_us;
	return waited_us < limit_us ? (limit_us - waited_us + 999) / 1000 : 1;
}

void tc_batcher_get_stats(struct tc_batcher *batcher, struct tc_batcher_stats *ret_stats)
{
	TC_LOCKED(&batcher->mutex);
	struct tc_batcher_stats stats = {.queued = batcher->queue.queued,
					 .batches = batcher->batches,
					 .items = batcher->items,
					 .waited = batcher->queue.waited,
					 .timeouts = batcher->queue.timeouts,
					 .wait_us = batcher->queue.wait_us};

	tc_batch_queue_count(&batcher->queue, &stats.contended_keys, &stats.contended_items);
	*ret_stats = stats;
}
