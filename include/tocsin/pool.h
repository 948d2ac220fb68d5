/* tocsin/pool.h: bounded, ranked pools of PostgreSQL connections on libpq.
 *
 * Model. A pool owns at most `max` connections. Waiting is first come, first served, and bounded by
 * `connection_timeout_ms`. A released connection goes straight to the first waiter. A watcher thread
 * notices an idle connection whose server died (EPOLLRDHUP), reports it once and drops it; acquire
 * also looks at the socket, so that a caller never receives a connection known to be dead.
 *
 * Rank. Each pool has a purpose: locks, or work. One operation (a thread, from its first acquire to
 * its last release) may take one lock connection, then one work connection: never two of a pool,
 * never a lock connection while it holds a work connection. A call that breaks this fails at once
 * with TOCSIN_E_RANK, naming both pools, in every build. Without a circle in the order of
 * acquisition there can be no deadlock between the pools (E. G. Coffman et al., "System Deadlocks",
 * 1971: the circular-wait condition).
 *
 * Threads: a pool may be used by any number of threads; a connection by the thread that acquired it,
 * which is also the one that must release it. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/error.h>

#pragma GCC visibility push(default)

enum tocsin_pool_purpose {
	TOCSIN_POOL_LOCK, /* taken first */
	TOCSIN_POOL_WORK, /* taken second */
};

/* What a pool reports through `notice`; the library itself never logs. */
enum tocsin_pool_notice {
	TOCSIN_POOL_CONNECTION_DIED, /* an idle connection's server went away; it is replaced on demand */
};

struct tocsin_pool;
struct tocsin_connection;

struct tocsin_pool_options {
	const char *name;     /* in errors and application_name; copied; at most 63 bytes */
	const char *conninfo; /* libpq connection string or URI, several hosts allowed; copied */
	enum tocsin_pool_purpose purpose;
	unsigned max; /* connections; at least 1, at most TOCSIN_POOL_MAX */
	unsigned
		connection_timeout_ms; /* longest wait for a connection, connecting included; > 0 */
	unsigned idle_timeout_ms;      /* an idle connection is closed after this long; > 0 */
	unsigned idle_tx_timeout_ms;   /* idle_in_transaction_session_timeout by SET; 0: leave it */
	unsigned lock_timeout_ms;      /* lock_timeout by SET; 0: leave it */
	/* plan_cache_mode = force_generic_plan by SET: a prepared statement is planned once a connection, for
	 * any parameters. For statements whose plans were looked at so: without it, the server may plan some
	 * anew at every execution. false: leave it. */
	bool has_generic_plans;
	/* enable_seqscan = off by SET: no table that has an index to use is read from end to end, however small it is
	 * when a plan is made: plans last, and tables grow. false: leave it. */
	bool avoids_seq_scans;
	/* Called from the watcher thread or from a thread inside acquire, never with a lock held. */
	void (*notice)(enum tocsin_pool_notice notice, const char *pool, const char *detail,
		       void *userdata);
	void *userdata;
};

#define TOCSIN_POOL_MAX 10000u

struct tocsin_pool_stats {
	unsigned max, idle, in_use, connecting, waiting;           /* now */
	uint64_t acquired, waited, timeouts, opened, closed, died; /* since the start */
	uint64_t wait_us; /* total time spent waiting, microseconds */
};

/* Makes a pool; opens no connection yet. On success the caller owns *ret_pool. Does not block. */
int tocsin_pool_new(struct tocsin_pool **ret_pool, const struct tocsin_pool_options *options,
		    struct tocsin_error *error);

/* Refuses new callers (TOCSIN_E_CLOSED), fails the waiting ones, blocks until every connection is
 * released, closes them, joins the watcher and frees the pool. NULL is allowed. Returns NULL. */
struct tocsin_pool *tocsin_pool_free(struct tocsin_pool *pool);

/* Refuses new callers and fails the waiting ones from now on, without blocking. */
void tocsin_pool_close(struct tocsin_pool *pool);

/* Asks the server to end the statements that the pool's connections are running: each fails with
 * UNAVAILABLE, and its thread goes on. What starts after this call is not touched, so a stop closes the
 * pool first. Any thread; blocks for a short connection to the server for each busy one, at most 30 s when
 * the network swallows them. Returns how many were told. */
unsigned tocsin_pool_cancel(struct tocsin_pool *pool);

/* Borrows a connection for this thread; blocks for at most `connection_timeout_ms`. Errors:
 * RANK (at once), TIMEOUT, UNAVAILABLE (connecting failed), CLOSED, NOMEM. */
int tocsin_pool_acquire(struct tocsin_pool *pool, struct tocsin_connection **ret_connection,
			struct tocsin_error *error);

/* Gives a connection back. One that is broken, in a transaction or in a pipeline is closed instead,
 * so that nothing (locks included) leaks to the next caller. NULL is allowed. Returns NULL. */
struct tocsin_connection *tocsin_pool_release(struct tocsin_connection *connection);

/* The libpq connection, owned by the pool. Do not call PQfinish or PQreset on it. */
PGconn *tocsin_connection_pg(const struct tocsin_connection *connection);

/* A copy of the numbers as they are now. Any thread; does not block. */
void tocsin_pool_get_stats(struct tocsin_pool *pool, struct tocsin_pool_stats *ret_stats);

/* The work of a transaction. TOCSIN_OK commits; anything else rolls back and is returned unchanged. */
typedef int (*tocsin_work_fn)(struct tocsin_connection *connection, void *userdata,
			      struct tocsin_error *error);

/* Acquires a connection, begins, calls `work`, commits or rolls back, releases. Blocks. On RETRY and
 * DEADLOCK, or a connection found dead at its first statement, the whole is tried again, at most
 * TOCSIN_TRANSACTION_ATTEMPTS times: `work` must be safe to call again after a rollback. */
#define TOCSIN_TRANSACTION_ATTEMPTS 3
int tocsin_pool_transact(struct tocsin_pool *pool, tocsin_work_fn work, void *userdata,
			 struct tocsin_error *error);

#pragma GCC visibility pop
