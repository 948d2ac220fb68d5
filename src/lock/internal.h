/* lock/internal.h: what the two kinds of lock services share. Private to lock/.
 *
 * locks.c has everything both do (keys checked, queues, deadlines, counting) and calls the kind's
 * operations for the rest. */
#pragma once

#include "lock/wait_queue.h"
#include <stdatomic.h>
#include <tocsin/lock.h>

struct tc_lock_operations {
	struct tocsin_locks *(*free)(struct tocsin_locks *locks);
	/* Before anything is waited for: may this thread take a key now? */
	int (*check)(struct tocsin_locks *locks, struct tocsin_error *error);
	int (*try)(struct tocsin_session *session, struct tocsin_error *error);
	void (*release)(struct tocsin_session *session);
	/* Holds held->key, runs the function, lets go. For the first key its queue has been passed. */
	int (*with)(struct tocsin_held *held, tocsin_held_fn function, void *userdata,
		    struct tocsin_error *error);
	int (*nest)(struct tocsin_held *held, tocsin_held_fn function, void *userdata,
		    struct tocsin_error *error);
	int (*work)(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
		    struct tocsin_error *error);
	int (*in_transaction)(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
			      struct tocsin_error *error);
};

struct tocsin_locks {
	const struct tc_lock_operations *operations;
	struct tc_wait_queue *queue; /* owned */
	unsigned wait_timeout_ms;
	_Atomic unsigned sessions;
	_Atomic uint64_t acquired, timeouts, lost, deadlocks;
};

struct tocsin_held {
	struct tocsin_locks *locks;
	struct tocsin_held *outer; /* NULL for the first key */
	const char *key;
	unsigned depth;       /* keys held, this one included */
	uint64_t deadline_ms; /* of the wait for this key */
	struct tc_operation *operation;
	struct tocsin_connection *connection; /* the lock connection; NULL in memory */
};

struct tocsin_session {
	struct tocsin_locks *locks;
	struct tc_operation operation;
	tocsin_lost_fn lost;
	void *userdata;
	_Atomic bool is_held;
	char *key; /* owned */
};

int tc_locks_init(struct tocsin_locks *locks, const struct tc_lock_operations *operations,
		  unsigned wait_timeout_ms, struct tocsin_error *error);
void tc_locks_deinit(struct tocsin_locks *locks);
/* Counts a failure by its code; returns the code. */
int tc_locks_count(struct tocsin_locks *locks, int code);
