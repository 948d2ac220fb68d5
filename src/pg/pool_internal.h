/* pg/pool_internal.h: the pool as its two files see it: pool.c (who gets a connection) and pool_watcher.c
 * (which connections are still there). Private to them. */
#pragma once

#include "base/thread.h"
#include "pg/connection.h"

#define TC_POOL_NAME_SIZE 64

struct tocsin_pool {
	struct tocsin_pool_options options;
	char name[TC_POOL_NAME_SIZE];
	char *conninfo;
	pthread_mutex_t mutex;
	pthread_cond_t drained;
	struct tc_list idle, all, waiters;
	struct tocsin_pool_stats stats;
	unsigned open;
	uint64_t next_id;
	bool is_closed;
	int epoll_fd, stop_fd;
	pthread_t watcher;
	bool has_watcher;
};

/* Under the mutex: takes an open connection out of the pool and gives its place to the first waiter; the
 * caller closes it unlocked. */
void tc_pool_forget(struct tocsin_pool *pool, struct tocsin_connection *connection);
/* Without the mutex: tells the owner, once a connection. */
void tc_pool_report_died(struct tocsin_pool *pool);

/* The watcher thread: starts with the pool; stop joins it. */
int tc_pool_start_watcher(struct tocsin_pool *pool, struct tocsin_error *error);
void tc_pool_stop_watcher(struct tocsin_pool *pool);
/* Under the mutex: from now on its hang-up is noticed. */
void tc_pool_watch(struct tocsin_pool *pool, const struct tocsin_connection *connection);
