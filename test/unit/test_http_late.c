/* Tests of http/server.h, over real sockets: requests that are answered late: behind others, while the server stops,
 * when nobody waits any more. */
#include "unit.h"

#include "base/clock.h"
#include "client.h"
#include "keeper.h"
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void respond_behind(struct tc_http_request *request, const char *text)
{
	tc_http_request_go_behind(request);
	respond_text(request, 200, text);
}

struct freeing {
	struct tc_http_server *server;
	unsigned timeout_ms;
};

static void *free_server(void *argument)
{
	struct freeing *freeing = argument;

	tc_http_server_free(freeing->server, freeing->timeout_ms);
	return NULL;
}

/* Quiesced, it refuses newcomers, answers those it has, and then closes their connections. */
static void test_stop_with_requests_in_flight(void **state)
{
	struct keeper keeper;
	struct tc_http_server *server;
	struct freeing freeing;
	struct reply reply;
	pthread_t thread;
	uint64_t began;
	char url[64];
	int fds[3];

	(void)state;
	keeper_init(&keeper);
	server = start_server(keep, &keeper, 2);
	snprintf(url, sizeof(url), "%s", tc_http_server_url(server));
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = client_connect(url);
		client_send_request(fds[i], "POST", "/", NULL, "{}", 2);
	}
	keeper_await(&keeper, 3);
	assert_int_equal(tc_http_server_in_flight(server), 3);
	assert_int_equal(tc_http_server_connections(server), 3);
	tc_http_server_quiesce(server);
	assert_int_equal(client_connect(url), -1);
	freeing = (struct freeing){server, 20000};
	assert_int_equal(pthread_create(&thread, NULL, free_server, &freeing), 0);
	for (unsigned i = 0; i < 3; i++)
		respond_text(keeper.kept[i], 200, "done");
	began = tc_clock_ms();
	pthread_join(thread, NULL);
	assert_in_range(tc_clock_ms() - began, 0, 10000); /* prompt: nowhere near its bound */
	for (unsigned i = 0; i < 3; i++) {
		client_read(fds[i], false, &reply);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, "done");
		assert_string_equal(client_header(&reply, "Connection"), "close");
		client_read(fds[i], false, &reply);
		assert_int_equal(reply.status, 0);
		close(fds[i]);
	}
}

/* A handler that never answers in time loses its connection, and may answer when the server is gone: also one that
 * lets others go first (seen to write into the freed server, under the address sanitizer, with such answers counted
 * before they are given). */
static void test_stop_past_its_bound(void **state)
{
	struct keeper keeper;
	struct tc_http_server *server;
	struct reply reply;
	size_t length;
	int fds[2], half;

	(void)state;
	keeper_init(&keeper);
	server = start_server(keep, &keeper, 2);
	half = client_connect(tc_http_server_url(server));
	client_send_request(half, "POST", "/", "Content-Length: 10\r\n", NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = client_connect(tc_http_server_url(server));
		client_send_request(fds[i], "POST", "/", NULL, "body", 4);
	}
	keeper_await(&keeper, 2);
	assert_null(tc_http_server_free(server, 50));
	for (unsigned i = 0; i < 2; i++) {
		client_read(fds[i], false, &reply);
		assert_int_equal(reply.status, 0);
		assert_string_equal(tc_http_request_body(keeper.kept[i], &length), "body");
		if (i == 0)
			respond_text(keeper.kept[i], 200, "too late");
		else
			respond_behind(keeper.kept[i], "too late");
		close(fds[i]);
	}
	client_read(half, false, &reply);
	assert_int_equal(reply.status, 0);
	close(half);
}

/* A client that hangs up while its request is being handled harms nothing. */
static void test_client_gone(void **state)
{
	struct keeper keeper;
	struct tc_http_server *server;
	int fd;

	(void)state;
	keeper_init(&keeper);
	server = start_server(keep, &keeper, 1);
	fd = client_connect(tc_http_server_url(server));
	client_send_request(fd, "POST", "/", NULL, "x", 1);
	keeper_await(&keeper, 1);
	close(fd);
	respond_text(keeper.kept[0], 200, "anybody?");
	assert_null(tc_http_server_free(server, 5000));
}

/* Answers that let others go first are all sent, also when many of their clients went away meanwhile. Seen to hang
 * with a place in the lane given back only by a connection that is still there. */
static void test_answers_behind_others(void **state)
{
	struct keeper keeper;
	struct tc_http_server *server;
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct reply reply;
	int fds[KEPT_MAX];

	(void)state;
	keeper_init(&keeper);
	server = start_server(keep, &keeper, 1);
	for (unsigned round = 0; round < 3; round++) {
		keeper.count = 0;
		for (unsigned i = 0; i < KEPT_MAX; i++) {
			fds[i] = client_connect(tc_http_server_url(server));
			client_send_request(fds[i], "POST", "/", NULL, "{}", 2);
		}
		keeper_await(&keeper, KEPT_MAX);
		for (unsigned i = 0; i < KEPT_MAX; i += 2) {
			setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			close(fds[i]);
		}
		for (unsigned i = 0; i < KEPT_MAX; i++)
			respond_behind(keeper.kept[i], "behind");
		for (unsigned i = 1; i < KEPT_MAX; i += 2) {
			client_read(fds[i], false, &reply);
			assert_int_equal(reply.status, 200);
			assert_string_equal(reply.body, "behind");
			close(fds[i]);
		}
	}
	assert_null(tc_http_server_free(server, 5000));
}

/* What waits in the lane when the server stops is sent like any other answer. */
static void test_stop_with_answers_behind(void **state)
{
	struct keeper keeper;
	struct tc_http_server *server;
	struct reply reply;
	int fds[KEPT_MAX];

	(void)state;
	keeper_init(&keeper);
	server = start_server(keep, &keeper, 1);
	for (unsigned i = 0; i < KEPT_MAX; i++) {
		fds[i] = client_connect(tc_http_server_url(server));
		client_send_request(fds[i], "POST", "/", NULL, "{}", 2);
	}
	keeper_await(&keeper, KEPT_MAX);
	tc_http_server_quiesce(server);
	for (unsigned i = 0; i < KEPT_MAX; i++)
		respond_behind(keeper.kept[i], "last");
	assert_null(tc_http_server_free(server, 20000));
	for (unsigned i = 0; i < KEPT_MAX; i++) {
		client_read(fds[i], false, &reply);
		assert_string_equal(reply.body, "last");
		assert_string_equal(client_header(&reply, "Connection"), "close");
		close(fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop_with_requests_in_flight),
		cmocka_unit_test(test_stop_past_its_bound),
		cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_answers_behind_others),
		cmocka_unit_test(test_stop_with_answers_behind),
	};

	return cmocka_run_group_tests_name("http late", tests, NULL, NULL);
}
