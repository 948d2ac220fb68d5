/* lock/wait_queue.h: who waits for a key inside this process, first come first served.
 *
 * Model. A key has an entry while somebody owns it or waits for it. An operation owns any number of
 * entries and waits for at most one. Before it waits, the chain "entry's owner waits for entry" is
 * followed: if it leads back to the operation, waiting would never end, and it is refused (a
 * wait-for graph in which each node has one edge; R. C. Holt, "Some Deadlock Properties of Computer
 * Systems", 1972). One mutex guards it all; nothing blocks under it but the waiting itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <tocsin/error.h>

struct tc_wait_queue;
struct tc_wait_entry;

/* What owns keys and waits: one call of tocsin_lock_with with all it nests, or one session. */
struct tc_operation {
	struct tc_wait_entry *waits_for; /* guarded by the queue's mutex */
	bool is_session;
};

struct tc_wait_stats {
	unsigned waiting;
	uint64_t waited, wait_us;
};

int tc_wait_queue_new(struct tc_wait_queue **ret_queue, struct tocsin_error *error);
/* No key may be owned or waited for. NULL allowed, returns NULL. */
struct tc_wait_queue *tc_wait_queue_free(struct tc_wait_queue *queue);

/* Makes `operation` the owner of the key; blocks until the monotonic `deadline_ms`; 0 does not wait.
 * Errors: LOCK_TIMEOUT (with a deadline), LOCK_BUSY (without), LOCK_HELD (the operation owns it, or, without a
 * deadline, a session of this process does), DEADLOCK, NOMEM. */
int tc_wait_queue_enter(struct tc_wait_queue *queue, struct tc_operation *operation,
			const char *key, uint64_t deadline_ms, struct tocsin_error *error);
/* The owner gives the key to the next waiter. Does not block. */
void tc_wait_queue_leave(struct tc_wait_queue *queue, const char *key);

void tc_wait_queue_get_stats(struct tc_wait_queue *queue, struct tc_wait_stats *ret_stats);
