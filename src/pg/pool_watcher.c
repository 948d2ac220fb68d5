/* pg/pool_watcher.c: one thread a pool that notices idle connections whose server went away, and those that
 * have been idle for too long.
 *
 * It owns one epoll set with every open connection, edge-triggered for hang-up only, so that traffic
 * never wakes it. It knows connections by id: one may be gone when its event comes. */
#include "base/clock.h"
#include "pg/pool_internal.h"
#include "pg/rank.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_A_WAIT 32
#define STOP_ID       UINT64_MAX

static struct tocsin_connection *find_idle(struct tocsin_pool *pool, uint64_t id)
{
	tc_list_each (node, &pool->idle) {
		struct tocsin_connection *connection =
			tc_list_entry(node, struct tocsin_connection, node);

		if (connection->id == id)
			return connection;
	}
	return NULL;
}

static void drop_dead(struct tocsin_pool *pool, uint64_t id)
{
	struct tocsin_connection *dead;

	tc_mutex_lock(&pool->mutex);
	dead = find_idle(pool, id); /* one in use is its user's to find out */
	if (dead) {
		tc_list_remove(&dead->node);
		pool->stats.idle--;
		pool->stats.died++;
		tc_pool_forget(pool, dead);
	}
	tc_mutex_unlock(&pool->mutex);
	if (dead)
		tc_pool_report_died(pool);
	tc_connection_close(dead);
}

/* Takes the connection that has been idle longest, if for too long; else says how long to wait. */
static struct tocsin_connection *take_expired(struct tocsin_pool *pool, uint64_t *ret_wait_ms)
{
	TC_LOCKED(&pool->mutex);
	struct tocsin_connection *oldest;
	uint64_t age_ms;

	*ret_wait_ms = pool->options.idle_timeout_ms;
	if (tc_list_is_empty(&pool->idle))
		return NULL;
	oldest = tc_list_entry(pool->idle.previous, struct tocsin_connection, node);
	age_ms = tc_clock_ms() - oldest->idle_since_ms;
	if (age_ms < pool->options.idle_timeout_ms) {
		*ret_wait_ms = pool->options.idle_timeout_ms - age_ms;
		return NULL;
	}
	tc_list_remove(&oldest->node);
	pool->stats.idle--;
	tc_pool_forget(pool, oldest);
	return oldest;
}

static void *run_watcher(void *argument)
{
	struct tocsin_pool *pool = argument;
	struct epoll_event events[EVENTS_A_WAIT];

	for (;;) {
		struct tocsin_connection *expired;
		uint64_t wait_ms;

		while ((expired = take_expired(pool, &wait_ms)))
			tc_connection_close(expired);
		int count = epoll_wait(pool->epoll_fd, events, EVENTS_A_WAIT,
				       (int)TC_MIN(wait_ms, 3600000u));
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 == STOP_ID)
				return NULL;
			drop_dead(pool, events[i].data.u64);
		}
	}
}

int tc_pool_start_watcher(struct tocsin_pool *pool, struct tocsin_error *error)
{
	struct epoll_event stop = {.events = EPOLLIN, .data.u64 = STOP_ID};
	int code;

	pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	pool->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (pool->epoll_fd < 0 || pool->stop_fd < 0 ||
	    epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->stop_fd, &stop) != 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "pool '%s': epoll: %s", pool->name,
					strerror(errno));
	code = tc_thread_start(&pool->watcher, "pool-watcher", run_watcher, pool, error);
	pool->has_watcher = code == TOCSIN_OK;
	return code;
}

void tc_pool_stop_watcher(struct tocsin_pool *pool)
{
	uint64_t one = 1;

	if (pool->has_watcher) {
		if (write(pool->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
			abort(); /* cannot happen to an eventfd; the thread would never be joined */
		pthread_join(pool->watcher, NULL);
	}
	if (pool->epoll_fd >= 0)
		close(pool->epoll_fd);
	if (pool->stop_fd >= 0)
		close(pool->stop_fd);
}

void tc_pool_watch(struct tocsin_pool *pool, const struct tocsin_connection *connection)
{
	/* Should the kernel refuse, the look at the socket in acquire still finds a dead one. */
	epoll_ctl(
		pool->epoll_fd, EPOLL_CTL_ADD, PQsocket(connection->pg),
		&(struct epoll_event){.events = EPOLLRDHUP | EPOLLET, .data.u64 = connection->id});
}
