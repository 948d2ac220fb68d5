/* support/node.h: what one server node has of libtocsin: both pools and a lock service. Two of them
 * in one process are two nodes: they share nothing but the database. */
#pragma once

#include <tocsin/tocsin.h>

struct tc_node_options {
	unsigned lock_max, work_max; /* connections; 0: 4 */
	unsigned
		connection_timeout_ms; /* 0: patience (crew.h), for tests that must not wait for it */
	unsigned wait_timeout_ms;      /* for a key; 0: patience */
	unsigned lock_idle_tx_timeout_ms; /* of the lock pool; 0: none */
	unsigned work_idle_tx_timeout_ms; /* of fenced work; 0: none */
};

struct tc_node {
	struct tocsin_pool *lock_pool, *work_pool;
	struct tocsin_locks *locks;
	char lock_name[48], work_name[48]; /* NAME-lock and NAME-work, as in pg_stat_activity */
};

/* `options` may be NULL. Fails the test if anything does. */
void tc_node_init(struct tc_node *node, const char *conninfo, const char *name,
		  const struct tc_node_options *options);
/* Frees everything. After a test that failed, threads may still be at work in it: then it is left
 * alone, with a line on stderr, because freeing would wait for ever. */
void tc_node_deinit(struct tc_node *node);
/* The same for a pool on its own; NULL is allowed. */
void tc_pool_dispose(struct tocsin_pool *pool);

struct tocsin_pool_stats tc_pool_stats(struct tocsin_pool *pool);
struct tocsin_locks_stats tc_locks_stats(struct tocsin_locks *locks);

/* Waits until `count` callers wait for a connection, or for a key; false when patience ran out. */
bool tc_wait_for_pool_waiters(struct tocsin_pool *pool, unsigned count);
bool tc_wait_for_key_waiters(struct tocsin_locks *locks, unsigned count);

/* A tocsin_held_fn and a tocsin_work_fn that do nothing. Any thread. */
int tc_held_nothing(struct tocsin_held *held, void *userdata, struct tocsin_error *error);
int tc_work_nothing(struct tocsin_connection *connection, void *userdata,
		    struct tocsin_error *error);
