/* Tests of http/server.h, over real sockets. */
#include "unit.h"

#include "base/buffer.h"
#include "base/macro.h"
#include "client.h"
#include "core/work/executor.h"
#include "http/server.h"
#include "keeper.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool add_parameter(const char *name, const char *value, void *userdata)
{
	tc_buffer_append_format(userdata, "|%s=%s", name, value);
	return true;
}

/* Answers with what it saw. */
static void echo(struct tc_http_request *request, void *userdata)
{
	const char *test = tc_http_request_header(request, "x-sent");
	TC_BUFFER text = {0};
	size_t length;
	const char *body = tc_http_request_body(request, &length);

	(void)userdata;
	assert_int_equal(body[length], '\0');
	tc_buffer_append_format(&text, "%s %s %s %zu ", tc_http_request_method(request),
				tc_http_request_path(request), test ? test : "-", length);
	tc_buffer_append(&text, body, TC_MIN(length, 100));
	tc_http_request_query(request, add_parameter, &text);
	respond_text(request, 200, text.data);
}

static void test_echo(void **state)
{
	static const struct {
		const char *method, *path, *headers, *body, *answer;
	} rows[] = {
		{"GET", "/", NULL, NULL, "GET / - 0 "},
		{"POST", "/a/b", "X-Sent: 5\r\n", "hello", "POST /a/b 5 5 hello"},
		{"POST", "/a%2Fb%20c", NULL, "", "POST /a%2Fb%20c - 0 "},
		{"PATCH", "/x?a=1&b&c=%C3%A9%26+z&a=2", NULL, "x",
		 "PATCH /x - 1 x|a=1|b=|c=\xc3\xa9& z|a=2"},
		{"DELETE", "/x?%61=%62", NULL, NULL, "DELETE /x - 0 |a=b"},
		/* Seen to be a parameter without a name. */
		{"GET", "/x?&a=1&&b=2&", NULL, NULL, "GET /x - 0 |a=1|b=2"},
		{"GET", "/x?=1", NULL, NULL, "GET /x - 0 |=1"},
		/* As to a proxy; seen to be paths of their own. */
		{"GET", "http://other:80/x/y?a=b", NULL, NULL, "GET /x/y - 0 |a=b"},
		{"GET", "HTTPS://other", NULL, NULL, "GET / - 0 "},
		{"GET", "httpx://other/", NULL, NULL, "GET httpx://other/ - 0 "},
	};
	struct tc_http_server *server = start_server(echo, NULL, 2);
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		client_ask(tc_http_server_url(server), rows[i].method, rows[i].path,
			   rows[i].headers, rows[i].body, &reply);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, rows[i].answer);
		assert_string_equal(client_header(&reply, "Content-Type"), "text/plain");
		assert_string_equal(client_header(&reply, "X-Test"), "yes");
	}
	client_ask(tc_http_server_url(server), "HEAD", "/", NULL, NULL, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(client_header(&reply, "Content-Length"), "11");
	assert_null(tc_http_server_free(server, 1000));
}

static void test_url_that_is_not_utf8(void **state)
{
	static const char *const paths[] = {"/%ff",     "/a%00b",   "/%zz",
					    "/x?a=%ff", "/x?%c3=1", "/%C0%80"};
	struct tc_http_server *server = start_server(echo, NULL, 1);
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(paths); i++) {
		client_ask(tc_http_server_url(server), "POST", paths[i], NULL, "body", &reply);
		assert_int_equal(reply.status, 400);
		assert_string_equal(client_header(&reply, "Content-Type"),
				    "application/problem+json");
		assert_non_null(strstr(reply.body, "UTF-8"));
	}
	tc_http_server_free(server, 1000);
}

/* What is not sure to be all of a body is not taken for it, nor what follows for another request. Seen to fail
 * without check_header: a length with a space or a fold was none, so that the request was answered, and its body taken
 * for the next one; what has a coding that is not known was read on until the client gave up. */
static void test_where_a_request_ends(void **state)
{
	static const struct {
		const char *headers, *words;
	} rows[] = {
		{"Content-Length: 5\r\n", NULL},
		{"Transfer-Encoding: Chunked\r\n", NULL},
		{"content-length: 5\r\nX-Sent: 1\r\nContent-Length: 60\r\n", "said once"},
		{"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "said once"},
		{"Content-Length : 5\r\n", "on one line"},
		{"content-length\t: 5\r\n", "on one line"},
		{"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "on one line"},
		{"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", "on one line"},
		{"Content-Length: 5\r\n 0\r\n", "on one line"},
		{"X-Sent : 1\r\n", "on one line"},
		{"Transfer-Encoding: gzip, chunked\r\n", "must be chunked"},
		{"Transfer-Encoding: identity\r\n", "must be chunked"},
	};
	struct tc_http_server *server = start_server(echo, NULL, 1);
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		const char *words = rows[i].words;
		char text[512];
		int fd = client_connect(tc_http_server_url(server));

		client_send(fd, text,
			    (size_t)snprintf(text, sizeof(text),
					     "POST / HTTP/1.1\r\nHost: test\r\n%s\r\n0\r\n\r\n"
					     "GET /next HTTP/1.1\r\nHost: test\r\n\r\n",
					     rows[i].headers));
		client_read(fd, false, &reply);
		assert_int_equal(reply.status, words ? 400 : 200);
		assert_true(!words || strstr(reply.body, words));
		client_read(fd, false, &reply);
		assert_int_equal(reply.status, words ? 0 : 200);
		close(fd);
	}
	tc_http_server_free(server, 1000);
}

static atomic_uint served;

static void count_and_echo(struct tc_http_request *request, void *userdata)
{
	served++;
	echo(request, userdata);
}

/* A head of so many equal headers, each of so many bytes. */
static void send_head(int fd, size_t count, size_t length)
{
	char text[20000], header[17000];
	size_t size = (size_t)snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: test\r\n");

	memset(header, 'x', length);
	memcpy(header, "X:", 2);
	memcpy(header + length - 2, "\r\n", 2);
	for (size_t i = 0; i < count; i++, size += length)
		memcpy(text + size, header, length);
	client_send(fd, text, size);
	client_send(fd, "Content-Length: 2\r\n\r\n{}", 23);
}

/* `count` cookies of `length` bytes, in one header. */
static void send_cookies(int fd, size_t count, size_t length)
{
	char text[20000];
	size_t size =
		(size_t)snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: test\r\nCookie: ");

	for (size_t i = 0; i < count; i++, size += length) {
		memset(text + size, 'c', length);
		memcpy(text + size + length / 2, "=", 1);
		memcpy(text + size + length - 2, "; ", 2);
	}
	client_send(fd, text, size);
	client_send(fd, "\r\nContent-Length: 2\r\n\r\n{}", 25);
}

/* Whatever is carried out is answered; what is too large is 431, or at the very end of the memory closed. Seen to fail
 * without is_too_large: some 200 bytes before that end requests were carried out, and their connection closed. */
static void test_head_bound(void **state)
{
	struct tc_http_server *server = start_server(count_and_echo, NULL, 1);
	unsigned answered = 0, refused = 0;
	struct reply reply;

	(void)state;
	served = 0;
	for (size_t length = 14500; length < 16500; length += 20) {
		int fd = client_connect(tc_http_server_url(server));

		send_head(fd, 1, length);
		client_read(fd, false, &reply);
		close(fd);
		answered += reply.status == 200;
		refused += reply.status == 431;
		assert_int_equal(served, answered);
	}
	assert_in_range(answered, 10, 60);
	assert_in_range(refused, 10, 80);
	for (size_t count = 1; count < 400; count++) {
		int fd = client_connect(tc_http_server_url(server));

		send_head(fd, count, 16);
		client_read(fd, false, &reply);
		close(fd);
		answered += reply.status == 200;
		assert_int_equal(served, answered);
	}
	assert_null(tc_http_server_free(server, 1000));
}

/* The library keeps them once more than other headers. Seen to fail with nothing counted for that. */
static void test_cookies_bound(void **state)
{
	static const size_t lengths[] = {20, 80, 160, 320};
	struct tc_http_server *server = start_server(count_and_echo, NULL, 1);
	unsigned answered = 0, refused = 0;
	struct reply reply;

	(void)state;
	served = 0;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(lengths); i++)
		for (size_t count = 1; count * lengths[i] < 12000; count++) {
			int fd = client_connect(tc_http_server_url(server));

			send_cookies(fd, count, lengths[i]);
			client_read(fd, false, &reply);
			close(fd);
			answered += reply.status == 200;
			refused += reply.status == 431;
			assert_int_equal(served, answered);
		}
	assert_true(answered > 100 && refused > 50);
	assert_null(tc_http_server_free(server, 1000));
}

static void assert_too_large(int fd)
{
	struct reply reply;

	client_read(fd, false, &reply);
	assert_int_equal(reply.status, 413);
	assert_string_equal(client_header(&reply, "Content-Type"), "application/problem+json");
	assert_non_null(strstr(reply.body, "larger than 100000 bytes"));
}

/* Exactly the bound passes; one more byte does not, however its length is told. */
static void test_body_bound(void **state)
{
	struct tc_http_server *server = start_server(echo, NULL, 1);
	static char body[MAX_BODY + 1];
	struct reply reply;
	char chunk[32];
	int fd = client_connect(tc_http_server_url(server));

	(void)state;
	memset(body, 'x', sizeof(body));
	client_send_request(fd, "POST", "/", NULL, body, MAX_BODY);
	client_read(fd, false, &reply);
	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply.body, "POST / - 100000 xxx"));

	client_send_request(fd, "POST", "/", NULL, body, MAX_BODY + 1);
	assert_too_large(fd);
	close(fd);

	fd = client_connect(tc_http_server_url(server));
	client_send_request(fd, "POST", "/", "Transfer-Encoding: chunked\r\n", NULL, 0);
	client_send(fd, chunk, (size_t)snprintf(chunk, sizeof(chunk), "%x\r\n", MAX_BODY + 1));
	client_send(fd, body, MAX_BODY + 1);
	client_send(fd, "\r\n0\r\n\r\n", 7);
	assert_too_large(fd);
	close(fd);
	tc_http_server_free(server, 1000);
}

/* A body that will be refused is neither asked for nor waited for. */
static void test_body_refused_early(void **state)
{
	static const char expect[] = "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
				     "Content-Length: 100001\r\n\r\n";
	static const char huge[] =
		"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999999\r\n\r\n";
	static const char fits[] = "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
				   "Content-Length: 2\r\n\r\n";
	struct tc_http_server *server = start_server(echo, NULL, 1);
	struct reply reply;
	int fd = client_connect(tc_http_server_url(server));

	(void)state;
	client_send(fd, expect, strlen(expect));
	assert_too_large(fd);
	close(fd);
	fd = client_connect(tc_http_server_url(server));
	client_send(fd, huge, strlen(huge));
	assert_too_large(fd);
	close(fd);
	fd = client_connect(tc_http_server_url(server));
	client_send(fd, fits, strlen(fits));
	client_read(fd, false, &reply);
	assert_int_equal(reply.status, 100);
	client_send(fd, "ok", 2);
	client_read(fd, false, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
	tc_http_server_free(server, 1000);
}

struct later {
	struct tc_job job;
	struct tc_http_request *request;
};

static void answer_later(struct tc_job *job)
{
	struct later *later = tc_container_of(job, struct later, job);

	respond_text(later->request, 201, "later");
	free(later);
}

/* Often answered by the other thread before this function has returned. */
static void hand_on(struct tc_http_request *request, void *userdata)
{
	struct later *later = malloc(sizeof(*later));

	*later = (struct later){.job.run = answer_later, .request = request};
	if (tc_executor_submit(userdata, &later->job) == TOCSIN_OK)
		return;
	free(later);
	respond_text(request, 503, "busy");
}

#define CLIENTS  8
#define REQUESTS 2000

static void *ask_often(void *argument)
{
	int fd = client_connect(argument);
	struct reply reply;
	uintptr_t good = 0;

	for (unsigned i = 0; i < REQUESTS; i++) {
		client_send_request(fd, "POST", "/", NULL, "{}", 2);
		client_read(fd, false, &reply);
		good += reply.status == 201 && strcmp(reply.body, "later") == 0;
	}
	close(fd);
	return (void *)good;
}

/* The race of an answer with the suspension, many times. Seen to hang with SUSPENDED written without a look
 * whether the answer is there already. */
static void test_answers_from_another_thread(void **state)
{
	struct tc_executor *executor = NULL;
	struct tc_http_server *server;
	pthread_t clients[CLIENTS];
	uintptr_t good = 0;

	(void)state;
	assert_int_equal(tc_executor_new(&executor, "later", 2, 100, NULL), TOCSIN_OK);
	server = start_server(hand_on, executor, 2);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, ask_often,
						(void *)(uintptr_t)tc_http_server_url(server)),
				 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		void *result;

		pthread_join(clients[i], &result);
		good += (uintptr_t)result;
	}
	assert_int_equal(good, CLIENTS * REQUESTS);
	tc_http_server_free(server, 1000);
	tc_executor_free(executor);
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {
		"",         "3000",  "127.0.0.1",   "127.0.0.1:",  "127.0.0.1:x", "127.0.0.1:65536",
		"::1:3000", ":3000", "256.1.1.1:1", "192.0.2.1:1", "[::x]:1"};
	struct tc_http_server *server = start_server(echo, NULL, 1), *second = NULL;
	struct tc_http_options options = {.max_body = 1, .max_connections = 1, .handler = echo};
	struct tocsin_error error = {0};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(bad); i++) {
		options.listen = bad[i];
		assert_int_equal(tc_http_server_new(&second, &options, &error), TOCSIN_E_INVALID);
		assert_non_null(strstr(error.message, bad[i]));
	}
	options.listen = tc_http_server_url(server) + strlen("http://");
	assert_int_equal(tc_http_server_new(&second, &options, &error), TOCSIN_E_INVALID);
	assert_non_null(strstr(error.message, options.listen));
	assert_null(second);
	assert_null(tc_http_server_free(server, 1000));
	assert_null(tc_http_server_free(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_url_that_is_not_utf8),
		cmocka_unit_test(test_where_a_request_ends),
		cmocka_unit_test(test_head_bound),
		cmocka_unit_test(test_cookies_bound),
		cmocka_unit_test(test_body_bound),
		cmocka_unit_test(test_body_refused_early),
		cmocka_unit_test(test_answers_from_another_thread),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("http server", tests, NULL, NULL);
}
