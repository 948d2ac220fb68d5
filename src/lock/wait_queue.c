/* lock/wait_queue.c: see wait_queue.h. The entries stand in a balanced tree of libc (tsearch). */
#include "lock/wait_queue.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct tc_wait_entry {
	struct tc_operation *owner;
	struct tc_list waiters;
	const char *key; /* points into the entry, or, in a probe for the tree, anywhere */
	char storage[];
};

struct waiter {
	struct tc_list node; /* in entry->waiters until granted */
	pthread_cond_t cond;
	struct tc_operation *operation;
	bool is_granted;
};

struct tc_wait_queue {
	pthread_mutex_t mutex;
	void *entries; /* tsearch root */
	struct tc_wait_stats stats;
};

static int compare_entries(const void *left, const void *right)
{
	const struct tc_wait_entry *a = left, *b = right;

	return strcmp(a->key, b->key);
}

int tc_wait_queue_new(struct tc_wait_queue **ret_queue, struct tocsin_error *error)
{
	struct tc_wait_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a wait queue");
	tc_mutex_init(&queue->mutex);
	*ret_queue = queue;
	return TOCSIN_OK;
}

struct tc_wait_queue *tc_wait_queue_free(struct tc_wait_queue *queue)
{
	if (!queue)
		return NULL;
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
	return NULL;
}

static struct tc_wait_entry *new_entry(const char *key)
{
	size_t size = strlen(key) + 1;
	struct tc_wait_entry *entry = malloc(sizeof(*entry) + size);

	if (!entry)
		return NULL;
	entry->owner = NULL;
	tc_list_init(&entry->waiters);
	memcpy(entry->storage, key, size);
	entry->key = entry->storage;
	return entry;
}

static struct tc_wait_entry *find_entry(struct tc_wait_queue *queue, const char *key)
{
	const struct tc_wait_entry probe = {.key = key};
	void **place = tfind(&probe, &queue->entries, compare_entries);

	return place ? *place : NULL;
}

/* The key's entry, made if need be; NULL when memory ran out. */
static struct tc_wait_entry *get_entry(struct tc_wait_queue *queue, const char *key)
{
	struct tc_wait_entry *entry = find_entry(queue, key);

	if (entry)
		return entry;
	entry = new_entry(key);
	if (entry && !tsearch(entry, &queue->entries, compare_entries)) {
		free(entry);
		return NULL;
	}
	return entry;
}

static bool closes_circle(const struct tc_operation *operation, const struct tc_wait_entry *entry)
{
	while (entry && entry->owner != operation)
		entry = entry->owner->waits_for;
	return entry != NULL;
}

/* Why the owner may not even wait, or TOCSIN_OK. */
static int check_entry(const struct tc_wait_entry *entry, const struct tc_operation *operation,
		       bool may_wait, struct tocsin_error *error)
{
	if (entry->owner == operation)
		return tocsin_error_set(error, TOCSIN_E_LOCK_HELD,
					"this operation already holds the key '%s'", entry->key);
	if (!may_wait && entry->owner->is_session)
		return tocsin_error_set(error, TOCSIN_E_LOCK_HELD,
					"this process already holds the key '%s'", entry->key);
	if (!may_wait)
		return tocsin_error_set(error, TOCSIN_E_LOCK_BUSY, "the key '%s' is held",
					entry->key);
	if (closes_circle(operation, entry))
		return tocsin_error_set(
			error, TOCSIN_E_DEADLOCK,
			"waiting for the key '%s' would close a circle of operations that wait for "
			"each other; retry the whole operation",
			entry->key);
	return TOCSIN_OK;
}

/* Under the mutex. The entry lives as long as it has a waiter. */
static int wait_turn(struct tc_wait_queue *queue, struct tc_wait_entry *entry,
		     struct tc_operation *operation, uint64_t deadline_ms,
		     struct tocsin_error *error)
{
	struct waiter waiter = {.operation = operation};
	uint64_t start_us = tc_clock_us();
	bool in_time = true;

	tc_cond_init(&waiter.cond);
	tc_list_push_back(&entry->waiters, &waiter.node);
	operation->waits_for = entry;
	queue->stats.waiting++;
	queue->stats.waited++;
	while (!waiter.is_granted && in_time)
		in_time = tc_cond_wait_until(&waiter.cond, &queue->mutex, deadline_ms);
	operation->waits_for = NULL;
	tc_list_remove(&waiter.node);
	queue->stats.waiting--;
	queue->stats.wait_us += tc_clock_us() - start_us;
	pthread_cond_destroy(&waiter.cond);
	if (waiter.is_granted)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_LOCK_TIMEOUT,
				"the key '%s' was not granted in time", entry->key);
}

int tc_wait_queue_enter(struct tc_wait_queue *queue, struct tc_operation *operation,
			const char *key, uint64_t deadline_ms, struct tocsin_error *error)
{
	TC_LOCKED(&queue->mutex);
	struct tc_wait_entry *entry = get_entry(queue, key);
	int code;

	if (!entry)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the key '%s'",
					key);
	if (!entry->owner) {
		entry->owner = operation;
		return TOCSIN_OK;
	}
	code = check_entry(entry, operation, deadline_ms != 0, error);
	return code == TOCSIN_OK ? wait_turn(queue, entry, operation, deadline_ms, error) : code;
}

void tc_wait_queue_leave(struct tc_wait_queue *queue, const char *key)
{
	TC_LOCKED(&queue->mutex);
	struct tc_wait_entry *entry = find_entry(queue, key);
	struct tc_list *node;

	if (!entry)
		return;
	node = tc_list_pop_front(&entry->waiters);
	if (node) {
		struct waiter *waiter = tc_list_entry(node, struct waiter, node);

		entry->owner = waiter->operation;
		/* It waits no longer, though its thread has not run yet: circles must not see it so. */
		waiter->operation->waits_for = NULL;
		waiter->is_granted = true;
		pthread_cond_signal(&waiter->cond);
		return;
	}
	tdelete(entry, &queue->entries, compare_entries);
	free(entry);
}

void tc_wait_queue_get_stats(struct tc_wait_queue *queue, struct tc_wait_stats *ret_stats)
{
	TC_LOCKED(&queue->mutex);

	*ret_stats = queue->stats;
}
