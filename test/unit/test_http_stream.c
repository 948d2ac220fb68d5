/* Tests of http/stream.h, over real sockets. */
#include "unit.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/thread.h"
#include "client.h"
#include "http/stream.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX   ((size_t)256 * 1024)
#define STREAMS_MAX 300
#define STOP_MS     20000u /* the most a stop may take; it takes a fraction of that */
#define PATIENCE_MS 60000u /* on a busy machine */
/* Short, for a test of the age of streams. */
#define LIFE_MS      50u
#define KEEPALIVE_MS 20u

/* The owner of streams: every request becomes one. */
struct owner {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned count, closed;
	unsigned life_ms; /* of those that begin from now on */
	atomic_uint drained;
	struct tc_http_stream *streams[STREAMS_MAX];
};

static struct owner owner;

static void on_drained(void *userdata)
{
	(void)userdata;
	atomic_fetch_add(&owner.drained, 1);
}

static void on_closed(void *userdata)
{
	TC_LOCKED(&owner.mutex);

	(void)userdata;
	owner.closed++;
	pthread_cond_broadcast(&owner.changed);
}

static void handle(struct tc_http_request *request, void *userdata)
{
	TC_LOCKED(&owner.mutex);
	const struct tc_http_stream_options options = {.queue_max = QUEUE_MAX,
						       .life_ms = owner.life_ms,
						       .drained = on_drained,
						       .closed = on_closed};

	(void)userdata;
	assert_int_equal(tc_http_stream_start(request, &options, &owner.streams[owner.count], NULL),
			 TOCSIN_OK);
	owner.count++;
	pthread_cond_broadcast(&owner.changed);
}

static void await(const unsigned *number, unsigned value)
{
	uint64_t deadline_ms = tc_clock_ms() + PATIENCE_MS;
	TC_LOCKED(&owner.mutex);

	while (*number < value)
		assert_true(tc_cond_wait_until(&owner.changed, &owner.mutex, deadline_ms));
}

static void await_drained(unsigned count)
{
	uint64_t deadline_ms = tc_clock_ms() + PATIENCE_MS;

	while (atomic_load(&owner.drained) < count) {
		assert_true(tc_clock_ms() < deadline_ms);
		poll(NULL, 0, 1);
	}
}

static void await_streams(struct tc_http_server *server, unsigned count)
{
	uint64_t deadline_ms = tc_clock_ms() + PATIENCE_MS;

	while (tc_http_server_streams(server) != count) {
		assert_true(tc_clock_ms() < deadline_ms);
		poll(NULL, 0, 1);
	}
}

static struct tc_http_server *start_with(unsigned keepalive_ms)
{
	struct tc_http_options options = {.listen = "127.0.0.1:0",
					  .threads = 2,
					  .max_body = 1000,
					  .max_connections = 2 * STREAMS_MAX,
					  .idle_timeout_s = 30,
					  .keepalive_ms = keepalive_ms,
					  .handler = handle};
	struct tc_http_server *server = NULL;

	memset(&owner, 0, sizeof(owner));
	tc_mutex_init(&owner.mutex);
	tc_cond_init(&owner.changed);
	assert_int_equal(tc_http_server_new(&server, &options, NULL), TOCSIN_OK);
	return server;
}

static struct tc_http_server *start(void)
{
	return start_with(0);
}

static void stop(struct tc_http_server *server)
{
	uint64_t began_ms = tc_clock_ms();

	assert_null(tc_http_server_free(server, STOP_MS));
	assert_in_range(tc_clock_ms() - began_ms, 0, STOP_MS / 2);
	assert_int_equal(owner.closed, owner.count);
	for (unsigned i = 0; i < owner.count; i++)
		assert_null(tc_http_stream_free(owner.streams[i]));
	pthread_cond_destroy(&owner.changed);
	pthread_mutex_destroy(&owner.mutex);
}

static int open_stream(const struct tc_http_server *server, const char *method)
{
	int fd = client_connect(tc_http_server_url(server));

	assert_true(fd >= 0);
	client_send_request(fd, method, "/", NULL, NULL, 0);
	return fd;
}

static int push_text(unsigned index, const char *text)
{
	TC_CLEANUP(tc_http_chunk_unref)
	struct tc_http_chunk *chunk = tc_http_chunk_new(text, strlen(text));

	return tc_http_stream_push(owner.streams[index], chunk, 0);
}

/* Everything until the connection ends; the body decoded in place. True if it ended in good order. */
static bool read_all(int fd, char *out, size_t size)
{
	size_t length = 0, from, to = 0;
	ssize_t got;
	char *body;

	while (length < size - 1 && (got = recv(fd, out + length, size - 1 - length, 0)) > 0) {
		length += (size_t)got;
		out[length] = '\0';
		if (length >= 5 && strcmp(out + length - 5, "0\r\n\r\n") == 0)
			break;
	}
	body = strstr(out, "\r\n\r\n");
	assert_non_null(body);
	assert_non_null(strstr(out, "Content-Type: text/event-stream"));
	for (from = (size_t)(body - out) + 4; from < length;) {
		char *end;
		size_t chunk = strtoul(out + from, &end, 16);

		if (chunk == 0 || (size_t)(end - out) + 2 + chunk > length) {
			out[to] = '\0';
			return chunk == 0;
		}
		memmove(out + to, end + 2, chunk);
		to += chunk;
		from = (size_t)(end - out) + 2 + chunk + 2;
	}
	out[to] = '\0';
	return false;
}

static void test_pushes_arrive_and_the_end_is_clean(void **state)
{
	struct tc_http_server *server = start();
	TC_CLEANUP(tc_http_chunk_unref)
	struct tc_http_chunk *chunk = tc_http_chunk_new("not this: but this\n", 19);
	char text[4096];
	int fds[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) { /* one by one: two threads might swap them */
		fds[i] = open_stream(server, "GET");
		await(&owner.count, i + 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(push_text(i, "data: 1\n\n"), TOCSIN_OK);
		assert_int_equal(tc_http_stream_push(owner.streams[i], chunk, 10), TOCSIN_OK);
	}
	await_drained(2);
	await_streams(server, 2); /* both: one may have been drained twice */
	for (unsigned i = 0; i < 2; i++) {
		tc_http_stream_end(owner.streams[i]);
		assert_int_equal(push_text(i, "too late"), TOCSIN_E_CLOSED);
		assert_true(read_all(fds[i], text, sizeof(text)));
		assert_string_equal(text, "data: 1\n\nbut this\n");
		close(fds[i]);
	}
	await(&owner.closed, 2);
	stop(server);
}

/* HEAD has no body, HTTP/1.0 no chunks. */
static void test_old_and_headless(void **state)
{
	static const char old[] = "GET / HTTP/1.0\r\nHost: test\r\n\r\n";
	struct tc_http_server *server = start();
	int head = open_stream(server, "HEAD"), fd;
	char text[1024] = "";
	ssize_t got, length = 0;

	(void)state;
	await(&owner.closed, 1);
	close(head);
	fd = client_connect(tc_http_server_url(server));
	client_send(fd, old, strlen(old));
	await(&owner.count, 2);
	assert_int_equal(push_text(1, "data: old\n\n"), TOCSIN_OK);
	tc_http_stream_end(owner.streams[1]);
	while ((got = recv(fd, text + length, sizeof(text) - 1 - (size_t)length, 0)) > 0)
		length += got;
	assert_non_null(strstr(text, "\r\n\r\ndata: old\n\n"));
	close(fd);
	stop(server);
}

#define PUSHES 20000

/* Until the stream has fallen asleep once more: then what was pushed before is taken up, however slow the thread that does
 * it, and the queue has room. Seen to be cut off as a slow reader where that thread was held up for 200 ms, and this
 * waited for 1 ms. */
static bool await_sleep(unsigned *sleeps)
{
	uint64_t deadline_ms = tc_clock_ms() + PATIENCE_MS;

	while (atomic_load(&owner.drained) == *sleeps) {
		if (tc_clock_ms() > deadline_ms)
			return false;
		poll(NULL, 0, 1);
	}
	*sleeps = atomic_load(&owner.drained);
	return true;
}

static void *push_often(void *argument)
{
	struct tc_http_stream *stream = argument;
	unsigned sleeps = 0;
	char text[16];

	for (unsigned i = 0; i < PUSHES; i++) {
		TC_CLEANUP(tc_http_chunk_unref) struct tc_http_chunk *chunk = NULL;

		snprintf(text, sizeof(text), "%u\n", i);
		chunk = tc_http_chunk_new(text, strlen(text));
		if (i % 64 == 0 && !await_sleep(&sleeps))
			return NULL;
		if (tc_http_stream_push(stream, chunk, 0) != TOCSIN_OK)
			return NULL;
	}
	tc_http_stream_end(stream);
	return argument;
}

/* The race of a push with the stream's falling asleep, many times. Without the look at `is_suspended` under
 * the mutex a push goes unheard, and the test ends at the client's patience. */
static void test_nothing_is_lost_between_sleep_and_push(void **state)
{
	struct tc_http_server *server = start();
	int fd = open_stream(server, "GET");
	size_t size = (size_t)1024 * 1024;
	char *text = malloc(size), *at = text, expected[16];
	pthread_t thread;
	void *result;

	(void)state;
	await(&owner.count, 1);
	assert_int_equal(pthread_create(&thread, NULL, push_often, owner.streams[0]), 0);
	assert_true(read_all(fd, text, size));
	pthread_join(thread, &result);
	assert_non_null(result);
	for (unsigned i = 0; i < PUSHES; i++) {
		size_t length = (size_t)snprintf(expected, sizeof(expected), "%u\n", i);

		assert_memory_equal(at, expected, length);
		at += length;
	}
	assert_string_equal(at, "");
	free(text);
	close(fd);
	stop(server);
}

/* A reader that leaves is noticed though nothing is written to it: without the watcher, `closed` would come
 * with the first write after the next comment, 15 s later. */
static void test_a_reader_that_leaves_is_noticed(void **state)
{
	struct tc_http_server *server = start();
	int stays = open_stream(server, "GET"), leaves;
	uint64_t began_ms;

	(void)state;
	await(&owner.count, 1);
	leaves = open_stream(server, "GET");
	await(&owner.count, 2);
	began_ms = tc_clock_ms();
	close(leaves);
	await(&owner.closed, 1);
	assert_in_range(tc_clock_ms() - began_ms, 0, 10000);
	assert_int_equal(push_text(1, "anybody?"), TOCSIN_E_CLOSED);
	assert_int_equal(push_text(0, "data: you\n\n"), TOCSIN_OK);
	assert_int_equal(tc_http_server_streams(server), 1);
	stop(server);
	close(stays);
}

/* A stream ends by its age, in good order and not before; one without such a bound goes on, and gets comments
 * meanwhile. With life_ms not heeded by comment_some the read ends when `few` is full; with every stream
 * ended there the other one's text is lost; with nobody's comments pushed it comes alone. */
static void test_a_stream_ends_by_its_age(void **state)
{
	struct tc_http_server *server = start_with(KEEPALIVE_MS);
	int stays = open_stream(server, "GET"), ends;
	char text[64 * 1024], few[1024];
	uint64_t began_ms;

	(void)state;
	await(&owner.count, 1);
	await_drained(1); /* it stands before the other with the watcher */
	tc_mutex_lock(&owner.mutex);
	owner.life_ms = LIFE_MS;
	tc_mutex_unlock(&owner.mutex);
	began_ms = tc_clock_ms();
	ends = open_stream(server, "GET");
	assert_true(read_all(ends, few, sizeof(few)));
	assert_true(tc_clock_ms() - began_ms >= LIFE_MS);
	await(&owner.closed, 1);
	assert_int_equal(push_text(1, "too late"), TOCSIN_E_CLOSED);
	assert_int_equal(tc_http_server_streams(server), 1);
	assert_int_equal(push_text(0, "data: on\n\n"), TOCSIN_OK);
	tc_http_stream_end(owner.streams[0]);
	assert_true(read_all(stays, text, sizeof(text)));
	assert_memory_equal(text, ":\n\n", 3);
	assert_non_null(strstr(text, "\n\ndata: on\n\n"));
	close(stays);
	close(ends);
	stop(server);
}

/* A reader that does not read is cut off when its queue is full, and nobody else notices. With the bound
 * taken out of push this never ends. */
static void test_a_slow_reader_is_cut_off(void **state)
{
	struct tc_http_server *server = start();
	int slow = open_stream(server, "GET"), quick;
	static char big[32 * 1024 + 1];
	unsigned pushed = 0;
	char text[4096];
	int result;

	(void)state;
	await(&owner.count, 1);
	quick = open_stream(server, "GET");
	await(&owner.count, 2);
	memset(big, 'x', sizeof(big) - 1);
	while ((result = push_text(0, big)) == TOCSIN_OK) {
		pushed++;
		if (pushed % 4 == 0)
			poll(NULL, 0, 1); /* for the sockets to fill */
	}
	assert_int_equal(result, TOCSIN_E_FULL);
	assert_true(pushed >= QUEUE_MAX / sizeof(big));
	assert_int_equal(push_text(0, "x"), TOCSIN_E_CLOSED);
	await(&owner.closed, 1);
	assert_int_equal(tc_http_server_streams_cut(server), 1);
	while (recv(slow, text, sizeof(text), 0) > 0)
		;
	assert_int_not_equal(errno, EAGAIN);
	assert_int_equal(push_text(1, "data: quick\n\n"), TOCSIN_OK);
	tc_http_stream_end(owner.streams[1]);
	assert_true(read_all(quick, text, sizeof(text)));
	assert_string_equal(text, "data: quick\n\n");
	close(slow);
	close(quick);
	stop(server);
}

/* Hundreds of sleeping readers and one that does not read: the server stops in the time stop() allows,
 * and those that read see the end of the answer, not of the connection. */
static void test_the_server_stops_with_open_streams(void **state)
{
	struct tc_http_server *server = start();
	static char big[64 * 1024 + 1];
	int fds[STREAMS_MAX];
	char text[4096];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	for (unsigned i = 0; i < STREAMS_MAX; i++) {
		fds[i] = open_stream(server, "GET");
		await(&owner.count, i + 1);
	}
	for (unsigned i = 0; i < 200 && push_text(0, big) == TOCSIN_OK; i++)
		poll(NULL, 0, 1);
	for (unsigned i = 1; i < STREAMS_MAX; i++)
		assert_int_equal(push_text(i, "data: last\n\n"), TOCSIN_OK);
	stop(server);
	for (unsigned i = 1; i < STREAMS_MAX; i++) {
		assert_true(read_all(fds[i], text, sizeof(text)));
		assert_string_equal(text, "data: last\n\n");
		close(fds[i]);
	}
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pushes_arrive_and_the_end_is_clean),
		cmocka_unit_test(test_old_and_headless),
		cmocka_unit_test(test_nothing_is_lost_between_sleep_and_push),
		cmocka_unit_test(test_a_reader_that_leaves_is_noticed),
		cmocka_unit_test(test_a_stream_ends_by_its_age),
		cmocka_unit_test(test_a_slow_reader_is_cut_off),
		cmocka_unit_test(test_the_server_stops_with_open_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
