/* lock/locks.c: the public calls: what every kind of lock service does around its own operations.
 *
 * A first key passes its queue in this process before anything else is taken, so a hot key costs at
 * most one connection. Inner keys do not queue here (PostgreSQL's deadlock detector must see them;
 * the in-memory kind queues them itself, with a detector of its own). */
#include "base/clock.h"
#include "base/macro.h"
#include "lock/internal.h"
#include <stdlib.h>
#include <string.h>

TC_DEFINE_CLEANUP(struct tocsin_session *, tocsin_session_free);

/* The innermost keys this thread runs under: a second first key inside would wait for itself. */
static _Thread_local const struct tocsin_held *running;

int tc_locks_init(struct tocsin_locks *locks, const struct tc_lock_operations *operations,
		  unsigned wait_timeout_ms, struct tocsin_error *error)
{
	if (wait_timeout_ms == 0)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"wait_timeout_ms must be at least 1");
	locks->operations = operations;
	locks->wait_timeout_ms = wait_timeout_ms;
	return tc_wait_queue_new(&locks->queue, error);
}

void tc_locks_deinit(struct tocsin_locks *locks)
{
	locks->queue = tc_wait_queue_free(locks->queue);
}

struct tocsin_locks *tocsin_locks_free(struct tocsin_locks *locks)
{
	return locks ? locks->operations->free(locks) : NULL;
}

int tc_locks_count(struct tocsin_locks *locks, int code)
{
	if (code == TOCSIN_OK)
		locks->acquired++;
	else if (code == TOCSIN_E_LOCK_TIMEOUT)
		locks->timeouts++;
	else if (code == TOCSIN_E_LOCK_LOST)
		locks->lost++;
	else if (code == TOCSIN_E_DEADLOCK)
		locks->deadlocks++;
	return code;
}

void tocsin_locks_get_stats(struct tocsin_locks *locks, struct tocsin_locks_stats *ret_stats)
{
	struct tc_wait_stats waits;

	tc_wait_queue_get_stats(locks->queue, &waits);
	*ret_stats = (struct tocsin_locks_stats){
		.sessions = locks->sessions,
		.waiting = waits.waiting,
		.acquired = locks->acquired,
		.waited = waits.waited,
		.timeouts = locks->timeouts,
		.lost = locks->lost,
		.deadlocks = locks->deadlocks,
		.wait_us = waits.wait_us,
	};
}

static int check_key(const char *key, struct tocsin_error *error)
{
	size_t length = key ? strnlen(key, TOCSIN_LOCK_KEY_MAX + 1) : 0;

	if (length == 0 || length > TOCSIN_LOCK_KEY_MAX)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a lock key must have 1 to %d bytes", TOCSIN_LOCK_KEY_MAX);
	return TOCSIN_OK;
}

static int check_first(struct tocsin_locks *locks, const char *key, struct tocsin_error *error)
{
	int code = check_key(key, error);

	if (code == TOCSIN_OK)
		code = locks->operations->check(locks, error);
	if (code == TOCSIN_OK && running)
		code = tocsin_error_set(
			error, TOCSIN_E_RANK,
			"circular acquisition: the key '%s' was wanted by an operation that holds "
			"the key '%s'; nest it (tocsin_lock_nest)",
			key, running->key);
	return code;
}

/* --- with, in transaction --- */

/* What runs once the first key's queue has been passed. */
struct first_key {
	tocsin_held_fn function; /* with, or */
	tocsin_work_fn work;     /* in transaction */
	void *userdata;
};

static int run_first(struct tocsin_locks *locks, const char *key, const struct first_key *first,
		     struct tocsin_error *error)
{
	struct tc_operation operation = {.is_session = false};
	struct tocsin_held held = {.locks = locks, .key = key, .depth = 1, .operation = &operation};
	int code = check_first(locks, key, error);

	if (code != TOCSIN_OK)
		return code;
	held.deadline_ms = tc_clock_ms() + locks->wait_timeout_ms;
	code = tc_wait_queue_enter(locks->queue, &operation, key, held.deadline_ms, error);
	if (code == TOCSIN_E_LOCK_TIMEOUT)
		tocsin_error_set(error, code, "the key '%s' was not granted within %u ms", key,
				 locks->wait_timeout_ms);
	if (code != TOCSIN_OK)
		return tc_locks_count(locks, code);
	running = &held;
	if (first->function)
		code = locks->operations->with(&held, first->function, first->userdata, error);
	else
		code = locks->operations->in_transaction(&held, first->work, first->userdata,
							 error);
	running = NULL;
	tc_wait_queue_leave(locks->queue, key);
	return code;
}

int tocsin_lock_with(struct tocsin_locks *locks, const char *key, tocsin_held_fn function,
		     void *userdata, struct tocsin_error *error)
{
	return run_first(locks, key,
			 &(struct first_key){.function = function, .userdata = userdata}, error);
}

int tocsin_lock_in_transaction(struct tocsin_locks *locks, const char *key, tocsin_work_fn work,
			       void *userdata, struct tocsin_error *error)
{
	return run_first(locks, key, &(struct first_key){.work = work, .userdata = userdata},
			 error);
}

static int check_nested(const struct tocsin_held *held, const char *key, struct tocsin_error *error)
{
	int code = check_key(key, error);

	if (code != TOCSIN_OK)
		return code;
	if (running != held)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"a key nests in the innermost one that is held by the same thread");
	if (held->depth == TOCSIN_LOCK_DEPTH_MAX)
		return tocsin_error_set(error, TOCSIN_E_FULL, "keys nest at most %d deep",
					TOCSIN_LOCK_DEPTH_MAX);
	for (const struct tocsin_held *outer = held; outer; outer = outer->outer)
		if (strcmp(outer->key, key) == 0)
			return tocsin_error_set(error, TOCSIN_E_LOCK_HELD,
						"this operation already holds the key '%s'", key);
	return TOCSIN_OK;
}

int tocsin_lock_nest(struct tocsin_held *held, const char *key, tocsin_held_fn function,
		     void *userdata, struct tocsin_error *error)
{
	struct tocsin_held inner = *held;
	int code = check_nested(held, key, error);

	if (code != TOCSIN_OK)
		return code;
	inner.outer = held;
	inner.key = key;
	inner.depth = held->depth + 1;
	inner.deadline_ms = tc_clock_ms() + held->locks->wait_timeout_ms;
	running = &inner;
	code = held->locks->operations->nest(&inner, function, userdata, error);
	running = held;
	return code;
}

int tocsin_lock_work(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
		     struct tocsin_error *error)
{
	if (running != held)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"work runs under the innermost key that is held by the same thread");
	return held->locks->operations->work(held, work, userdata, error);
}

/* --- try --- */

static int new_session(struct tocsin_session **ret_session, struct tocsin_locks *locks,
		       const char *key, tocsin_lost_fn lost, void *userdata,
		       struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_session_free)
	struct tocsin_session *session = calloc(1, sizeof(*session));

	if (!session)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a session lock");
	session->locks = locks;
	session->operation.is_session = true;
	session->lost = lost;
	session->userdata = userdata;
	session->key = strdup(key);
	if (!session->key)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a session lock");
	*ret_session = tc_take(session);
	return TOCSIN_OK;
}

int tocsin_lock_try(struct tocsin_locks *locks, const char *key, tocsin_lost_fn lost,
		    void *userdata, struct tocsin_session **ret_session, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_session_free) struct tocsin_session *session = NULL;
	int code = check_first(locks, key, error);

	if (code == TOCSIN_OK)
		code = new_session(&session, locks, key, lost, userdata, error);
	if (code != TOCSIN_OK)
		return code;
	code = tc_locks_count(locks, locks->operations->try(session, error));
	if (code != TOCSIN_OK)
		return code;
	*ret_session = tc_take(session);
	return TOCSIN_OK;
}

bool tocsin_session_is_held(const struct tocsin_session *session)
{
	return session->is_held;
}

void tocsin_session_release(struct tocsin_session *session)
{
	session->locks->operations->release(session);
}

struct tocsin_session *tocsin_session_free(struct tocsin_session *session)
{
	if (!session)
		return NULL;
	tocsin_session_release(session);
	free(session->key);
	free(session);
	return NULL;
}
