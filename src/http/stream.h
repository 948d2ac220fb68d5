/* http/stream.h: server-sent events (HTML standard, section 9.2): an answer that goes on.
 *
 * Model. A stream is a queue of chunks between who pushes, on any thread, and one connection. A chunk is
 * text that any number of streams share; a stream holds a reference, not a copy. While its queue is
 * empty the connection is suspended and costs no thread. The queue is bounded: a reader so slow that it would
 * overflow is disconnected at once (it knows the last id it got, and may come back with it).
 * Every TC_HTTP_STREAM_KEEPALIVE_MS (or what the server's options say) an idle stream gets a comment line.
 *
 * A reader that goes away is noticed at once: one thread of the server watches the sockets of all
 * streams, because the library does not look at suspended ones. A reader that only closes its sending
 * side counts as gone, too: the two cannot be told apart.
 *
 * Threads: everything here may be called from any thread, and does not block. Callbacks run on HTTP
 * threads, without a lock held, and must not block; they may call anything here. */
#pragma once

#include "base/macro.h"
#include "http/server.h"

#define TC_HTTP_STREAM_KEEPALIVE_MS 15000u
#define TC_HTTP_STREAM_PIECES_MAX   4096u /* chunks in a queue */

/* --- chunks --- */

struct tc_http_chunk;

/* Copies `length` bytes; NULL when memory ran out. The caller owns one reference. */
struct tc_http_chunk *tc_http_chunk_new(const char *bytes, size_t length);
struct tc_http_chunk *tc_http_chunk_ref(struct tc_http_chunk *chunk);
/* NULL allowed, returns NULL. */
struct tc_http_chunk *tc_http_chunk_unref(struct tc_http_chunk *chunk);
TC_DEFINE_CLEANUP(struct tc_http_chunk *, tc_http_chunk_unref);
size_t tc_http_chunk_length(const struct tc_http_chunk *chunk);

/* --- streams --- */

struct tc_http_stream;

struct tc_http_stream_options {
	size_t queue_max; /* bytes pushed and not yet taken by the connection */
	/* Ends in good order after about so long (when a comment is due), 0: never. */
	unsigned life_ms;
	/* The connection took everything that was pushed, or has just begun; may be NULL. */
	void (*drained)(void *userdata);
	/* Once, last: nothing of the stream is called afterwards. The owner still frees it. */
	void (*closed)(void *userdata);
	void *userdata;
};

#define TC_HTTP_STREAM_TYPE "text/event-stream"

/* Answers `request` with a stream: 200, TC_HTTP_STREAM_TYPE. On success the request is gone, and the
 * caller owns *ret_stream, which is set before the first callback. NOMEM: the request is still to be answered. */
int tc_http_stream_start(struct tc_http_request *request,
			 const struct tc_http_stream_options *options,
			 struct tc_http_stream **ret_stream, struct tocsin_error *error);

/* Sends `chunk` from `offset` on, after what was pushed before. TOCSIN_OK; FULL: the queue would overflow,
 * and the reader was disconnected; CLOSED: the stream has ended or its reader is gone; NOMEM: it was
 * disconnected. */
int tc_http_stream_push(struct tc_http_stream *stream, struct tc_http_chunk *chunk, size_t offset);
/* Ends the answer in good order after what was pushed. */
void tc_http_stream_end(struct tc_http_stream *stream);
/* Ends the answer, if it has not ended, and lets go of the stream; callbacks may still come, until
 * `closed`. NULL allowed, returns NULL. */
struct tc_http_stream *tc_http_stream_free(struct tc_http_stream *stream);

/* Streams that are open now; readers cut off because they were too slow, since the start. */
unsigned tc_http_server_streams(struct tc_http_server *server);
unsigned long long tc_http_server_streams_cut(struct tc_http_server *server);
