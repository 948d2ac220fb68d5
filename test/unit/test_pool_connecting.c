/* Tests of a pool that connects, with a server that says no more than it must: it lets everybody in, and is silent then,
 * as a pooler is whose own server is away.
 *
 * How each was seen to fail: with the time of a statement for the settings of a new connection, "bounded" took a minute;
 * with the watcher stopped before the pool is empty, "closing", where the connection was put into an epoll set of
 * somebody else. */
#include "unit.h"

#include "base/clock.h"
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tocsin/tocsin.h>
#include <unistd.h>

#define TIMEOUT_MS  300u
#define PATIENCE_MS 30000u
#define LOOKS       200 /* of a millisecond each */

struct server {
	char directory[32];
	struct sockaddr_un address;
	int listener, client;
};

static void server_init(struct server *server)
{
	*server = (struct server){.directory = "/tmp/tocsin-test-XXXXXX",
				  .address = {.sun_family = AF_UNIX},
				  .client = -1};
	assert_non_null(mkdtemp(server->directory));
	snprintf(server->address.sun_path, sizeof(server->address.sun_path), "%s/.s.PGSQL.5432",
		 server->directory);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener, (const struct sockaddr *)&server->address,
			      sizeof(server->address)),
			 0);
	assert_int_equal(listen(server->listener, 8), 0);
}

static void server_deinit(struct server *server)
{
	close(server->client);
	close(server->listener);
	unlink(server->address.sun_path);
	assert_int_equal(rmdir(server->directory), 0);
}

/* AuthenticationOk and ReadyForQuery (PostgreSQL manual, "Message Formats"). */
static void let_in(const struct server *server)
{
	static const char words[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I";

	if (write(server->client, words, sizeof(words) - 1) != (ssize_t)sizeof(words) - 1)
		abort();
}

static void *serve(void *argument)
{
	struct server *server = argument;

	server->client = accept(server->listener, NULL, NULL);
	let_in(server);
	return NULL;
}

static struct tocsin_pool *make_pool(const struct server *server, unsigned timeout_ms,
				     unsigned lock_timeout_ms)
{
	struct tocsin_pool *pool = NULL;
	char conninfo[128];

	snprintf(conninfo, sizeof(conninfo), "host=%s port=5432 dbname=x user=x",
		 server->directory);
	assert_int_equal(
		tocsin_pool_new(&pool,
				&(struct tocsin_pool_options){.name = "silent",
							      .conninfo = conninfo,
							      .purpose = TOCSIN_POOL_LOCK,
							      .max = 1,
							      .connection_timeout_ms = timeout_ms,
							      .idle_timeout_ms = PATIENCE_MS,
							      .lock_timeout_ms = lock_timeout_ms},
				NULL),
		TOCSIN_OK);
	return pool;
}

/* The settings of a new connection count against the connection timeout, too. */
static void test_bounded(void **state)
{
	struct tocsin_connection *connection = NULL;
	struct tocsin_error error = {0};
	struct tocsin_pool *pool;
	struct server server;
	pthread_t thread;
	uint64_t before_ms;

	(void)state;
	server_init(&server);
	pool = make_pool(&server, TIMEOUT_MS, 1000);
	assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
	before_ms = tc_clock_ms();
	assert_int_equal(tocsin_pool_acquire(pool, &connection, &error), TOCSIN_E_UNAVAILABLE);
	assert_in_range(tc_clock_ms() - before_ms, TIMEOUT_MS - 1, PATIENCE_MS);
	assert_non_null(strstr(error.message, "connection timeout"));
	pthread_join(thread, NULL);
	tocsin_pool_free(pool);
	server_deinit(&server);
}

struct caller {
	struct tocsin_pool *pool;
	sem_t has_acquired, may_release;
};

static void *acquire_and_release(void *argument)
{
	struct caller *caller = argument;
	struct tocsin_connection *connection = NULL;

	if (tocsin_pool_acquire(caller->pool, &connection, NULL) != TOCSIN_OK)
		abort();
	sem_post(&caller->has_acquired);
	sem_wait(&caller->may_release);
	tocsin_pool_release(connection);
	return NULL;
}

static void *free_pool(void *argument)
{
	tocsin_pool_free(argument);
	return NULL;
}

/* Until the descriptor is closed, or a moment has passed in which it would have been. */
static void look_for_close(int fd)
{
	for (int i = 0; i < LOOKS && fcntl(fd, F_GETFD) >= 0; i++)
		usleep(1000);
}

/* Who was connecting when the pool began to close does so as usual. */
static void test_closing(void **state)
{
	struct caller caller;
	struct epoll_event event;
	struct server server;
	pthread_t calling, freeing;
	int pools, others;

	(void)state;
	server_init(&server);
	pools = epoll_create1(
		EPOLL_CLOEXEC); /* the number that is free, which the pool's will have */
	close(pools);
	caller.pool = make_pool(&server, PATIENCE_MS, 0);
	assert_int_equal(sem_init(&caller.has_acquired, 0, 0), 0);
	assert_int_equal(sem_init(&caller.may_release, 0, 0), 0);
	assert_int_equal(pthread_create(&calling, NULL, acquire_and_release, &caller), 0);
	server.client = accept(server.listener, NULL, NULL);
	assert_int_equal(pthread_create(&freeing, NULL, free_pool, caller.pool), 0);
	look_for_close(pools);
	others = epoll_create1(EPOLL_CLOEXEC);
	let_in(&server);
	sem_wait(&caller.has_acquired);
	assert_int_equal(shutdown(server.client, SHUT_RDWR), 0);
	assert_int_equal(epoll_wait(others, &event, 1, 0), 0);
	sem_post(&caller.may_release);
	pthread_join(calling, NULL);
	pthread_join(freeing, NULL);
	close(others);
	sem_destroy(&caller.has_acquired);
	sem_destroy(&caller.may_release);
	server_deinit(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_closing),
	};

	return cmocka_run_group_tests_name("pool connecting", tests, NULL, NULL);
}
