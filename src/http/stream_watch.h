/* http/stream_watch.h: all streams of a server, as stream.c, stream_watch.c, request.c and server.c see
 * them. Private to http/.
 *
 * Locking: `streams.mutex` guards the lists and counts; a stream's own mutex the stream, and is taken last.
 * A stream has a reference of its request (until the connection is done), of its owner, and of the watcher
 * (once it was attached), which gives it up only between two looks at epoll: so what epoll reported is
 * still there when the watcher looks at it. */
#pragma once

#include "base/list.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <tocsin/error.h>

struct tc_http_stream;

struct tc_http_streams {
	pthread_mutex_t mutex;
	struct tc_list attached; /* in the order of their next comment */
	struct tc_list dead;     /* detached; for the watcher to let go of */
	unsigned count;
	unsigned keepalive_ms;
	bool is_ending; /* a stream that begins now ends at once */
	bool must_stop;
	atomic_ullong cut;
	int epoll_fd, wake_fd;
	pthread_t thread;
	bool is_started;
};

/* Starts the watcher's thread. `keepalive_ms`: see struct tc_http_options. */
int tc_http_streams_init(struct tc_http_streams *streams, unsigned keepalive_ms,
			 struct tocsin_error *error);
/* When no connection is left. Joins the thread. Allowed on what failed to start. */
void tc_http_streams_deinit(struct tc_http_streams *streams);
/* Ends all in good order, now and from now on. */
void tc_http_streams_end(struct tc_http_streams *streams);
/* Disconnects those whose readers do not read. */
void tc_http_streams_cut(struct tc_http_streams *streams);

/* On the connection's thread: the response is about to be queued; and the connection is done with it. */
void tc_http_stream_attach(struct tc_http_stream *stream, struct tc_http_streams *streams,
			   struct MHD_Connection *connection);
void tc_http_stream_detach(struct tc_http_stream *stream);

/* --- between stream_watch.c and stream.c --- */

struct tc_http_stream {
	atomic_uint refs;
	struct tc_http_streams *streams; /* mutex; set once, by attach; NULL: never attached */
	struct tc_list node;             /* streams->mutex: in attached or dead */
	uint64_t comment_ms;             /* streams->mutex: when the next comment is due */
	uint64_t end_ms;                 /* set by attach; 0: never */
	int fd;                          /* the connection's socket */

	size_t queue_max;
	unsigned life_ms;
	void (*drained)(void *userdata);
	void (*closed)(void *userdata);
	void *userdata;

	pthread_mutex_t mutex;             /* the rest */
	struct MHD_Connection *connection; /* NULL unless attached */
	bool is_suspended, is_ending, is_cut;
	struct tc_http_piece {
		struct tc_http_chunk *chunk; /* a reference */
		size_t offset;               /* of the first byte not taken */
	} * pieces;                          /* a ring */
	unsigned first, count, capacity;
	size_t queued; /* bytes */
};

/* Takes it out of the lists; the watcher lets go of it. */
void tc_http_streams_remove(struct tc_http_stream *stream);
void tc_http_stream_unref(struct tc_http_stream *stream);
/* Disconnects, unless it is already over. */
void tc_http_stream_cut(struct tc_http_stream *stream);
/* Pushes a comment unless something is queued. */
void tc_http_stream_comment(struct tc_http_stream *stream, struct tc_http_chunk *comment);
