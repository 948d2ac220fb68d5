/* tocsin/lock.h: named locks across processes, on PostgreSQL advisory locks, and their in-memory
 * twin behind the same interface.
 *
 * A key is a string, hashed by the server: hashtextextended(key, 0). Four forms:
 *
 *   try             a session lock without waiting, for elections and long work. All session locks of
 *                   a service live on one connection, driven by one thread that pipelines requests.
 *   with            a function runs while the key is held in a transaction of the lock pool. Its work
 *                   (tocsin_lock_work) runs on the work pool and is fenced: it cannot commit once the
 *                   lock is lost. Nested keys (tocsin_lock_nest) use the same connection.
 *   in transaction  lock and work in one transaction on one lock-pool connection: the lock lives
 *                   exactly as long as the work, so there is nothing to fence.
 *   in memory       the same calls on a service made by tocsin_locks_new_memory: no PostgreSQL; the
 *                   connection handed to work is NULL.
 *
 * Callers of one key in one service wait in that key's queue, first come first served, without a
 * connection: only the first of them waits in PostgreSQL. Inner keys wait in PostgreSQL, whose
 * deadlock detector sees them.
 *
 * Threads: a service may be used by any number of threads. A `struct tocsin_held` belongs to the
 * thread that runs the function it was handed to. */
#pragma once

#include <stdint.h>
#include <tocsin/pool.h>

#pragma GCC visibility push(default)

struct tocsin_locks;   /* the service */
struct tocsin_held;    /* keys held by the running function */
struct tocsin_session; /* a session lock */

struct tocsin_locks_options {
	struct tocsin_pool *lock_pool; /* borrowed; must outlive the service; purpose LOCK */
	struct tocsin_pool *work_pool; /* borrowed; may be NULL if tocsin_lock_work is not used */
	unsigned
		wait_timeout_ms; /* longest wait for a key inside this process and in PostgreSQL; > 0 */
	unsigned
		idle_tx_timeout_ms; /* a fenced work transaction idle for longer is ended by the server,
					  so that it cannot keep the next holder out; 0: never */
};

struct tocsin_locks_stats {
	unsigned sessions; /* session locks held now */
	unsigned waiting;  /* callers waiting for a key inside this process now */
	uint64_t acquired, waited, timeouts, lost, deadlocks; /* since the start */
	uint64_t wait_us; /* total time spent waiting for keys, microseconds */
};

/* Longest key in bytes; a longer or empty one is TOCSIN_E_INVALID. */
#define TOCSIN_LOCK_KEY_MAX 2048
/* Keys that an operation may hold, the first among them. */
#define TOCSIN_LOCK_DEPTH_MAX 16

/* Makes a service, and starts its driver thread; takes no connection before a key is wanted. `options` is
 * copied, the pools in it are borrowed. On success the caller owns *ret_locks and frees it with
 * tocsin_locks_free, before the pools. Errors: INVALID (a pool that is missing or of the wrong purpose, no
 * wait_timeout_ms), NOMEM, SYSTEM. Does not block. */
int tocsin_locks_new(struct tocsin_locks **ret_locks, const struct tocsin_locks_options *options,
		     struct tocsin_error *error);
/* The same without a database, for this process alone; `wait_timeout_ms` as in the options. It has no thread. */
int tocsin_locks_new_memory(struct tocsin_locks **ret_locks, unsigned wait_timeout_ms,
			    struct tocsin_error *error);

/* Joins the driver thread and frees the service. No call may be running and every session must have been
 * freed. Blocks. NULL is allowed. Returns NULL. */
struct tocsin_locks *tocsin_locks_free(struct tocsin_locks *locks);

/* A copy of the numbers as they are now. Any thread; does not block. */
void tocsin_locks_get_stats(struct tocsin_locks *locks, struct tocsin_locks_stats *ret_stats);

/* Called once, on the service's driver thread, when the lock behind a session is lost. It must not
 * block and must not call back into the service, except tocsin_session_is_held. */
typedef void (*tocsin_lost_fn)(struct tocsin_session *session, void *userdata);

/* Tries a session lock, without waiting for its holder. Blocks for one round trip. On success the
 * caller owns *ret_session and frees it with tocsin_session_free. Errors: LOCK_BUSY (somebody else
 * holds it), LOCK_HELD (this service does), FULL (the server's lock table), RANK, UNAVAILABLE, ... */
int tocsin_lock_try(struct tocsin_locks *locks, const char *key, tocsin_lost_fn lost,
		    void *userdata, struct tocsin_session **ret_session,
		    struct tocsin_error *error);

/* False once the lock was lost or released. Any thread, `lost` among them; does not block. What it says may be
 * over a moment later. */
bool tocsin_session_is_held(const struct tocsin_session *session);

/* Releases the lock; blocks for one round trip. Harmless when released or lost before. After it
 * returns, `lost` is not called and not running. */
void tocsin_session_release(struct tocsin_session *session);

/* Releases and frees. NULL is allowed. Returns NULL. */
struct tocsin_session *tocsin_session_free(struct tocsin_session *session);

/* Runs while the key is held. */
typedef int (*tocsin_held_fn)(struct tocsin_held *held, void *userdata, struct tocsin_error *error);

/* Waits for the key, at most wait_timeout_ms, runs `function`, releases the key; returns what the
 * function returned. Errors of its own: LOCK_TIMEOUT, RANK, TIMEOUT, UNAVAILABLE, ... */
int tocsin_lock_with(struct tocsin_locks *locks, const char *key, tocsin_held_fn function,
		     void *userdata, struct tocsin_error *error);

/* The same for a further key, while `held` is held, on its connection. Also: LOCK_HELD (this
 * operation holds it), DEADLOCK (two operations nest in opposite order: retry the whole operation), LOCK_LOST
 * (of `held`, meanwhile), FULL (TOCSIN_LOCK_DEPTH_MAX), INVALID (`held` is not the innermost key). */
int tocsin_lock_nest(struct tocsin_held *held, const char *key, tocsin_held_fn function,
		     void *userdata, struct tocsin_error *error);

/* Runs a transaction of the work pool, fenced by every key in `held`: it commits only while all of
 * them are still held, else LOCK_LOST. Not retried: the caller decides. */
int tocsin_lock_work(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
		     struct tocsin_error *error);

/* Waits for the key like tocsin_lock_with, and runs `work` in the lock's own transaction on one lock-pool
 * connection: TOCSIN_OK commits, anything else rolls back and is returned unchanged. Not retried. The connection
 * is the service's: not to be released. Blocks. Errors of its own: as tocsin_lock_with, and of the commit. */
int tocsin_lock_in_transaction(struct tocsin_locks *locks, const char *key, tocsin_work_fn work,
			       void *userdata, struct tocsin_error *error);

#pragma GCC visibility pop
