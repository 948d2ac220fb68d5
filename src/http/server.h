/* http/server.h: all that knows libmicrohttpd.
 *
 * Model. A few threads (one a core, epoll) read requests. When a request is whole, the handler is
 * called once, on such a thread, and must not block. It answers at once or later, from any thread,
 * with tc_http_respond: exactly once. Until then the connection is suspended and costs no thread.
 *
 * The layer itself answers 413 (body over max_body: Content-Length is judged before the body is read,
 * a chunked body when it passes the bound; a client that goes on sending is read for another 8 MiB, so that
 * it sees the answer, then cut off) through `handler`-independent problem documents
 * (http/problem.h), 400 for a URL that is not UTF-8 after decoding and for a request whose end is not sure, and
 * 431 for a head that leaves no room for an answer's; a still larger one gets 431 or 414 as the library does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <tocsin/error.h>

struct tc_http_server;
struct tc_http_request;

struct tc_http_options {
	const char *listen; /* "127.0.0.1:3000", "[::1]:3000", "0.0.0.0:0" (any free port) */
	int *bound_fd; /* what tc_bind (http/listen.h) made of it, taken over: -1 from then on; NULL: bound here */
	unsigned threads;         /* 0: one a core */
	size_t max_body;          /* bytes */
	unsigned max_connections; /* further ones wait in the listen queue */
	unsigned
		idle_timeout_s; /* a connection silent for longer is closed; suspended ones are not */
	unsigned
		keepalive_ms; /* a quiet stream gets a comment so often; 0: TC_HTTP_STREAM_KEEPALIVE_MS */
	void (*handler)(struct tc_http_request *request, void *userdata);
	void *userdata;
};

/* Binds, listens and starts. A bad or taken address is TOCSIN_E_INVALID with the address named. */
int tc_http_server_new(struct tc_http_server **ret_server, const struct tc_http_options *options,
		       struct tocsin_error *error);
/* "http://127.0.0.1:3000": the address really bound; owned by the server. */
const char *tc_http_server_url(const struct tc_http_server *server);
/* Stops accepting; requests in flight go on. Keep-alive connections are closed after their answer. */
void tc_http_server_quiesce(struct tc_http_server *server);
/* Quiesces, blocks until every request in flight is answered and sent (at most timeout_ms), stops
 * the threads, frees. A request whose handler has not answered by then loses its connection; answering
 * it later is still required, and harmless. NULL allowed, returns NULL. */
struct tc_http_server *tc_http_server_free(struct tc_http_server *server, unsigned timeout_ms);
unsigned tc_http_server_in_flight(const struct tc_http_server *server);
unsigned tc_http_server_connections(const struct tc_http_server *server);
/* Answers that let others go first (tc_http_request_go_behind), since the start. */
unsigned long long tc_http_server_behind(const struct tc_http_server *server);

/* The request. The body is owned by it and lives until it has been answered. The rest is the
 * connection's: ask for it on the thread of the handler, before the handler returns. */
const char *tc_http_request_method(const struct tc_http_request *request);
/* Still percent-encoded, because "a%2Fb" is one segment: split first, then decode (http/url.h). */
const char *tc_http_request_path(const struct tc_http_request *request);
/* The first of this name; NULL if there is none. */
const char *tc_http_request_header(const struct tc_http_request *request, const char *name);
/* The last of this name, which the proxy next to us wrote if it adds a line of its own; NULL if there is none. */
const char *tc_http_request_last_header(const struct tc_http_request *request, const char *name);
#define TC_HTTP_ADDRESS_SIZE 46
/* The address at the other end of the connection, without its port: "127.0.0.1", "2001:db8::1"; an IPv4
 * address that came over an IPv6 socket as IPv4. "" if it has none. */
void tc_http_request_address(const struct tc_http_request *request,
			     char ret_text[static TC_HTTP_ADDRESS_SIZE]);
/* Every query parameter in order, decoded; value is "" where there is none; both are gone when `each`
 * returns, which it does with false to stop. */
void tc_http_request_query(const struct tc_http_request *request,
			   bool (*each)(const char *name, const char *value, void *userdata),
			   void *userdata);
const char *tc_http_request_body(const struct tc_http_request *request,
				 size_t *ret_length); /* NUL-terminated */

struct tc_http_header {
	const char *name, *value;
};

struct tc_http_response {
	unsigned status;
	const char *content_type; /* NULL: none */
	char *body;               /* malloc'ed; taken over, freed by the layer; NULL: empty */
	size_t body_length;
	const struct tc_http_header *headers; /* copied */
	size_t headers_count;
};

/* Answers; may be called on any thread, inside the handler or after it returned. The request must not
 * be touched afterwards. Does not block. */
void tc_http_respond(struct tc_http_request *request, const struct tc_http_response *response);
/* Before the answer, by who gives it: lets others go first, because hundreds of its kind are answered at once. Of such
 * answers a few are sent at a time, in order (http/lane.h). */
void tc_http_request_go_behind(struct tc_http_request *request);
