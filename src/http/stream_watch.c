/* http/stream_watch.c: all streams of a server: readers that went away, comments that are due, and the
 * end. One thread waits on the sockets of all streams; see stream_watch.h for locking.
 *
 * A socket is reported once, when its peer has closed or shut down its side: the library looks at
 * sockets of suspended connections no more, and would notice at a later write only. */
#include "http/stream_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/stream.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
/* Comments pushed while the mutex is held: HTTP threads want it, too. */
#define COMMENTS_MAX 64u
/* What the kernel may keep for one reader; without it, it would grow to megabytes for a slow one. */
#define SEND_BUFFER_SIZE (128 * 1024)

static void wake_watcher(struct tc_http_streams *streams)
{
	/* An eventfd takes one more unless 2^64-2 are pending: this cannot fail. */
	(void)!eventfd_write(streams->wake_fd, 1);
}

void tc_http_stream_attach(struct tc_http_stream *stream, struct tc_http_streams *streams,
			   struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data = {.ptr = stream}};
	int size = SEND_BUFFER_SIZE;
	bool is_ending;

	stream->fd = info->connect_fd;
	tc_mutex_lock(&stream->mutex);
	stream->streams = streams;
	stream->connection = connection;
	tc_mutex_unlock(&stream->mutex);
	/* It is a wish: with another size it works as well. */
	(void)setsockopt(stream->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));

	tc_mutex_lock(&streams->mutex);
	atomic_fetch_add(&stream->refs, 1);
	stream->comment_ms = tc_clock_ms() + streams->keepalive_ms;
	stream->end_ms = stream->life_ms ? tc_clock_ms() + stream->life_ms : 0;
	tc_list_push_back(&streams->attached, &stream->node);
	/* The watcher sleeps until the first comment is due: with none there it sleeps for ever. */
	if (streams->count++ == 0)
		wake_watcher(streams);
	is_ending = streams->is_ending;
	tc_mutex_unlock(&streams->mutex);
	if (epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, stream->fd, &event) < 0)
		tc_log_warning("http.stream_watch", "a reader is noticed late when it leaves: %s",
			       strerror(errno));
	if (is_ending)
		tc_http_stream_end(stream);
}

void tc_http_streams_remove(struct tc_http_stream *stream)
{
	struct tc_http_streams *streams = stream->streams;

	/* The socket is still open; it is not there only where adding it had failed. */
	(void)epoll_ctl(streams->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
	TC_LOCKED(&streams->mutex);

	tc_list_remove(&stream->node);
	streams->count--;
	if (tc_list_is_empty(&streams->dead))
		wake_watcher(streams);
	tc_list_push_back(&streams->dead, &stream->node);
}

/* --- the watcher --- */

static void bury_dead(struct tc_http_streams *streams)
{
	struct tc_list dead, *node;

	tc_list_init(&dead);
	tc_mutex_lock(&streams->mutex);
	tc_list_splice_back(&dead, &streams->dead);
	tc_mutex_unlock(&streams->mutex);
	while ((node = tc_list_pop_front(&dead)))
		tc_http_stream_unref(tc_list_entry(node, struct tc_http_stream, node));
}

/* Comments for some of those whose time has come. Milliseconds until the next is due, -1: none is. */
static int comment_some(struct tc_http_streams *streams, struct tc_http_chunk *comment)
{
	TC_LOCKED(&streams->mutex);
	uint64_t now_ms = tc_clock_ms();

	for (unsigned i = 0; !tc_list_is_empty(&streams->attached); i++) {
		struct tc_http_stream *stream =
			tc_list_entry(streams->attached.next, struct tc_http_stream, node);

		if (stream->comment_ms > now_ms)
			return (int)(stream->comment_ms - now_ms);
		if (i == COMMENTS_MAX)
			return 0;
		stream->comment_ms = now_ms + streams->keepalive_ms;
		tc_list_remove(&stream->node);
		tc_list_push_back(&streams->attached, &stream->node);
		if (stream->end_ms && now_ms >= stream->end_ms)
			tc_http_stream_end(stream);
		else
			tc_http_stream_comment(stream, comment);
	}
	return -1;
}

static bool is_stopping(struct tc_http_streams *streams)
{
	TC_LOCKED(&streams->mutex);

	return streams->must_stop;
}

static void look(struct tc_http_streams *streams, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(streams->epoll_fd, events, EVENTS_MAX, timeout_ms);
	eventfd_t value;

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			tc_http_stream_cut(events[i].data.ptr);
		else
			(void)!eventfd_read(streams->wake_fd, &value);
	}
}

static void *watch(void *argument)
{
	struct tc_http_streams *streams = argument;
	TC_CLEANUP(tc_http_chunk_unref) struct tc_http_chunk *comment = NULL;

	comment = tc_http_chunk_new(":\n\n", 3);
	while (!is_stopping(streams)) {
		bury_dead(streams);
		look(streams, comment ? comment_some(streams, comment) : -1);
	}
	bury_dead(streams);
	return NULL;
}

/* --- all of them --- */

int tc_http_streams_init(struct tc_http_streams *streams, unsigned keepalive_ms,
			 struct tocsin_error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
	int result;

	*streams = (struct tc_http_streams){
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.keepalive_ms = keepalive_ms ? keepalive_ms : TC_HTTP_STREAM_KEEPALIVE_MS};
	tc_mutex_init(&streams->mutex);
	tc_list_init(&streams->attached);
	tc_list_init(&streams->dead);
	if (streams->epoll_fd < 0 || streams->wake_fd < 0 ||
	    epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, streams->wake_fd, &event) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot watch streams: %s",
					strerror(errno));
	result = tc_thread_start(&streams->thread, "http-streams", watch, streams, error);
	streams->is_started = result == TOCSIN_OK;
	return result;
}

void tc_http_streams_deinit(struct tc_http_streams *streams)
{
	if (streams->is_started) {
		tc_mutex_lock(&streams->mutex);
		streams->must_stop = true;
		tc_mutex_unlock(&streams->mutex);
		wake_watcher(streams);
		pthread_join(streams->thread, NULL);
	}
	if (streams->epoll_fd >= 0)
		close(streams->epoll_fd);
	if (streams->wake_fd >= 0)
		close(streams->wake_fd);
	pthread_mutex_destroy(&streams->mutex);
}

void tc_http_streams_end(struct tc_http_streams *streams)
{
	TC_LOCKED(&streams->mutex);

	streams->is_ending = true;
	tc_list_each (node, &streams->attached)
		tc_http_stream_end(tc_list_entry(node, struct tc_http_stream, node));
}

void tc_http_streams_cut(struct tc_http_streams *streams)
{
	TC_LOCKED(&streams->mutex);

	tc_list_each (node, &streams->attached)
		tc_http_stream_cut(tc_list_entry(node, struct tc_http_stream, node));
}
