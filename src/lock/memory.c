/* lock/memory.c: the lock service without PostgreSQL, for tests and single-process embedding: every
 * key, first, nested or session, is owned in the one wait queue, whose wait-for graph finds circles. */
#include "lock/internal.h"

#include <stdlib.h>

static struct tocsin_locks *free_memory(struct tocsin_locks *locks)
{
	tc_locks_deinit(locks);
	free(locks);
	return NULL;
}

static int check_nothing(struct tocsin_locks *locks, struct tocsin_error *error)
{
	(void)locks;
	(void)error;
	return TOCSIN_OK;
}

static int try_key(struct tocsin_session *session, struct tocsin_error *error)
{
	struct tocsin_locks *locks = session->locks;
	int code = tc_wait_queue_enter(locks->queue, &session->operation, session->key, 0, error);

	if (code != TOCSIN_OK)
		return code;
	locks->sessions++;
	session->is_held = true;
	return TOCSIN_OK;
}

static void release_key(struct tocsin_session *session)
{
	if (!atomic_exchange(&session->is_held, false))
		return;
	session->locks->sessions--;
	tc_wait_queue_leave(session->locks->queue, session->key);
}

static int run_with(struct tocsin_held *held, tocsin_held_fn function, void *userdata,
		    struct tocsin_error *error)
{
	tc_locks_count(held->locks, TOCSIN_OK);
	return function(held, userdata, error);
}

static int run_nested(struct tocsin_held *held, tocsin_held_fn function, void *userdata,
		      struct tocsin_error *error)
{
	struct tc_wait_queue *queue = held->locks->queue;
	int code = tc_wait_queue_enter(queue, held->operation, held->key, held->deadline_ms, error);

	if (tc_locks_count(held->locks, code) != TOCSIN_OK)
		return code;
	code = function(held, userdata, error);
	tc_wait_queue_leave(queue, held->key);
	return code;
}

static int run_work(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
		    struct tocsin_error *error)
{
	(void)held;
	return work(NULL, userdata, error);
}

static int run_in_transaction(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
			      struct tocsin_error *error)
{
	tc_locks_count(held->locks, TOCSIN_OK);
	return work(NULL, userdata, error);
}

static const struct tc_lock_operations memory_operations = {
	.free = free_memory,
	.check = check_nothing,
	.try = try_key,
	.release = release_key,
	.with = run_with,
	.nest = run_nested,
	.work = run_work,
	.in_transaction = run_in_transaction,
};

int tocsin_locks_new_memory(struct tocsin_locks **ret_locks, unsigned wait_timeout_ms,
			    struct tocsin_error *error)
{
	struct tocsin_locks *locks = calloc(1, sizeof(*locks));
	int code;

	if (!locks)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a lock service");
	code = tc_locks_init(locks, &memory_operations, wait_timeout_ms, error);
	if (code != TOCSIN_OK) {
		free(locks);
		return code;
	}
	*ret_locks = locks;
	return TOCSIN_OK;
}
