/* http/request.h: what server.c and request.c share. Private to http/.
 *
 * Who holds a request, and how it ends:
 *
 *   READING    the connection reads it (a thread of the library)
 *   HANDLING   the handler runs; whoever it passes the request to may answer already
 *   SUSPENDED  the handler returned without an answer; the connection sleeps
 *   ANSWERED   `response` is there; the connection sends it, perhaps after its turn in the lane (lane.h)
 *   ABANDONED  the server stops and its bound passed; the connection is closed without an answer
 *   DETACHED   the connection is done with it
 *
 *   READING -> HANDLING -> ANSWERED -> DETACHED           answered inside the handler
 *              HANDLING -> SUSPENDED -> ANSWERED          answered later: the answering thread resumes
 *                          SUSPENDED -> ABANDONED -> DETACHED | ANSWERED
 *
 * The state is atomic and each step an exchange, so that exactly one side acts on it: the connection
 * is suspended before SUSPENDED is written, hence whoever reads SUSPENDED may resume it. The request is
 * freed by the connection, except an abandoned one that is answered last: by who answers it, without
 * touching the server, which may be gone.
 *
 * `in_flight` counts requests that have a connection, `handed_over` those a handler owns, until
 * tc_http_respond is about to return: a thread inside MHD_resume_connection still uses the daemon. */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "http/lane.h"
#include "http/listen.h"
#include "http/server.h"
#include "http/stream_watch.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum tc_http_state {
	TC_HTTP_READING,
	TC_HTTP_HANDLING,
	TC_HTTP_SUSPENDED,
	TC_HTTP_ANSWERED,
	TC_HTTP_ABANDONED,
	TC_HTTP_DETACHED
};

struct tc_http_server {
	struct tc_http_options options;
	struct MHD_Daemon *daemon;
	int listen_fd; /* ours once quiesced, before that the daemon's */
	char url[TC_URL_SIZE];
	atomic_bool quiesced;   /* answers close their connection */
	atomic_bool abandoning; /* nothing may stay suspended */
	pthread_mutex_t
		mutex; /* the rest; taken last, never while calling the library or a handler */
	pthread_cond_t changed; /* a count fell to zero */
	struct tc_list requests;
	unsigned in_flight, handed_over;
	struct tc_http_streams streams;
	struct tc_http_lane lane;
	_Atomic uint64_t behind; /* answers that let others go first */
};

struct tc_http_request {
	struct tc_list node; /* in server->requests */
	struct tc_http_server *server;
	struct MHD_Connection *connection;
	const char *method, *path; /* the library's memory */
	_Atomic(enum tc_http_state) state;
	unsigned refusal;   /* status this layer answers by itself; 0: none */
	const char *flaw;   /* of its head, for which it is refused; NULL: none (head.h) */
	uint64_t discarded; /* bytes of a refused body */
	struct tc_buffer body;
	char *scratch; /* for decoding query parameters; NULL while none is encoded */
	size_t scratch_size;
	struct MHD_Response *response;
	struct tc_http_answer *answer; /* a reference; in place of a response of its own */
	struct tc_http_stream *stream; /* a reference; NULL: an ordinary answer */
	unsigned status;
	struct tc_list lane; /* its place in server->lane */
	bool is_behind,
		is_in_lane; /* it goes there when it is answered; it did, and is not taken up yet */
};

/* The library's callbacks; `server` is a struct tc_http_server. */
enum MHD_Result tc_http_on_access(void *server, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context);
void tc_http_on_completed(void *server, struct MHD_Connection *connection, void **context,
			  enum MHD_RequestTerminationCode why);

/* Takes a suspended request away from its handler; false in another state. With the server's mutex
 * held, or on the request's own thread: else it might be gone. A request so marked stays until woken. */
bool tc_http_request_mark_abandoned(struct tc_http_request *request);
/* Wakes the sleeping connection of a request that is answered, or marked abandoned and then closes. The request
 * may be gone when this returns. Without the mutex. */
void tc_http_request_wake(struct tc_http_request *request);

/* The library's response; takes the body over, also where it fails. NULL when memory ran out. */
struct MHD_Response *tc_http_response_build(const struct tc_http_response *from);

/* Queues a shared answer, whose reference is taken over, on the connection's own thread. */
struct tc_http_answer;
enum MHD_Result tc_http_answer_queue(struct tc_http_request *request,
				     struct tc_http_answer *answer);

/* Answers with a response that is taken over (NULL: the connection closes), and the stream it reads from, whose
 * reference is taken over (NULL: none). As tc_http_respond. */
void tc_http_request_answer(struct tc_http_request *request, unsigned status,
			    struct MHD_Response *response, struct tc_http_stream *stream);
