/* http/server.c: starting, quiescing and stopping; see server.h, and request.h for one request's life.
 *
 * Stopping: first nobody new comes in, and streams end; then it waits, by a condition variable, until
 * every request is answered and sent; past the bound, requests that sleep in a handler are abandoned, and the daemon
 * closes what is left. The library must not stop with a suspended connection, nor while a thread is
 * inside MHD_resume_connection: `handed_over` counts both, and is always waited for. */
#include "http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/memory.h"
#include "base/thread.h"
#include "http/head.h"
#include "http/request.h"
#include "http/stream.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)256 * 1024)
/* How long readers of streams have for what was pushed to them before the stop. */
#define STREAM_GRACE_MS 1000u

__attribute__((format(printf, 2, 0))) static void on_library_log(void *userdata, const char *format,
								 va_list arguments)
{
	char text[512];

	(void)userdata;
	if (!tc_log_is_enabled(TC_LOG_DEBUG))
		return; /* what the library has to say is about clients that went away */
	vsnprintf(text, sizeof(text), format, arguments);
	tc_log_debug("http.library", "%s", text);
}

/* The URL stays encoded, because "a%2Fb" is one segment, not two: the router decodes after splitting. */
static size_t leave_encoded(void *userdata, struct MHD_Connection *connection, char *text)
{
	(void)userdata;
	(void)connection;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct tc_http_server *server)
{
	const struct tc_http_options *options = &server->options;
	unsigned threads = options->threads;
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem pool[] = {
		{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_Daemon *daemon;
	sigset_t all, before;

	if (threads == 1) /* a pool of one is refused: the daemon's own thread does it */
		pool[0] = pool[1];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the threads inherit the blocked set */
	daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, tc_http_on_access, server, MHD_OPTION_EXTERNAL_LOGGER,
		on_library_log, NULL, MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, TC_MAX(options->max_connections, threads),
		MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, TC_HTTP_CONNECTION_MEMORY,
		MHD_OPTION_THREAD_STACK_SIZE, STACK_SIZE, MHD_OPTION_UNESCAPE_CALLBACK,
		leave_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED, tc_http_on_completed, server,
		MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

static void destroy(struct tc_http_server *server)
{
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	tc_http_lane_deinit(&server->lane);
	tc_http_streams_deinit(&server->streams);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

int tc_http_server_new(struct tc_http_server **ret_server, const struct tc_http_options *options,
		       struct tocsin_error *error)
{
	struct tc_http_server *server = calloc(1, sizeof(*server));
	int result;

	if (!server)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	server->options = *options;
	server->options.threads = options->threads > 0 ? options->threads : tc_thread_cores();
	server->options.listen = NULL; /* the caller's, needed here only */
	server->options.bound_fd = NULL;
	server->listen_fd = options->bound_fd ? tc_take_fd(options->bound_fd) : -1;
	tc_mutex_init(&server->mutex);
	tc_cond_init(&server->changed);
	tc_list_init(&server->requests);
	tc_http_lane_init(&server->lane, server->options.threads * TC_HTTP_LANE_PER_THREAD);
	result = tc_http_streams_init(&server->streams, options->keepalive_ms, error);
	if (result == TOCSIN_OK && server->listen_fd < 0)
		result = tc_bind(options->listen, &server->listen_fd, error);
	if (result == TOCSIN_OK)
		result = tc_listen(server->listen_fd, options->listen, server->url, error);
	if (result == TOCSIN_OK) {
		server->daemon = start_daemon(server);
		if (!server->daemon)
			result = tocsin_error_set(error, TOCSIN_E_SYSTEM,
						  "cannot start the HTTP threads for %s",
						  options->listen);
	}
	if (result) {
		destroy(server);
		return result;
	}
	*ret_server = server;
	return TOCSIN_OK;
}

const char *tc_http_server_url(const struct tc_http_server *server)
{
	return server->url;
}

void tc_http_server_quiesce(struct tc_http_server *server)
{
	if (atomic_exchange(&server->quiesced, true))
		return;
	MHD_quiesce_daemon(server->daemon);
	/* The descriptor must stay open while the library's threads run, but nobody shall be left
	 * hanging in its queue: from here on the kernel refuses connections. */
	shutdown(server->listen_fd, SHUT_RDWR);
}

/* Marks one sleeping request after the other; `rest` are those not looked at yet. */
static void abandon_suspended(struct tc_http_server *server)
{
	struct tc_list rest;

	tc_list_init(&rest);
	atomic_store(&server->abandoning, true); /* for those that fall asleep from now on */
	tc_mutex_lock(&server->mutex);
	tc_list_splice_back(&rest, &server->requests);
	for (struct tc_list *node; (node = tc_list_pop_front(&rest));) {
		struct tc_http_request *request = tc_list_entry(node, struct tc_http_request, node);

		tc_list_push_back(&server->requests, node);
		if (!tc_http_request_mark_abandoned(request))
			continue;
		tc_mutex_unlock(&server->mutex);
		tc_http_request_wake(request);
		tc_mutex_lock(&server->mutex);
	}
	tc_mutex_unlock(&server->mutex);
}

/* How many requests were not finished by then. */
static unsigned wait_for_requests(struct tc_http_server *server, uint64_t deadline_ms)
{
	TC_LOCKED(&server->mutex);

	while (server->in_flight > 0 || server->handed_over > 0)
		if (!tc_cond_wait_until(&server->changed, &server->mutex, deadline_ms))
			break;
	return server->in_flight;
}

struct tc_http_server *tc_http_server_free(struct tc_http_server *server, unsigned timeout_ms)
{
	uint64_t now_ms = tc_clock_ms();
	unsigned left;

	if (!server)
		return NULL;
	tc_http_server_quiesce(server);
	tc_http_streams_end(&server->streams);
	left = wait_for_requests(server, now_ms + TC_MIN(timeout_ms, STREAM_GRACE_MS));
	tc_http_streams_cut(&server->streams);
	if (left > 0)
		left = wait_for_requests(server, now_ms + timeout_ms);
	if (left > 0)
		tc_log_warning("http.cut_off", "%u request%s could not be finished within %u ms",
			       left, TC_PLURAL(left), timeout_ms);
	tc_http_lane_end(&server->lane);
	abandon_suspended(server);
	tc_mutex_lock(&server->mutex);
	while (server->handed_over > 0) /* running handlers and resuming threads: neither blocks */
		tc_cond_wait(&server->changed, &server->mutex);
	tc_mutex_unlock(&server->mutex);
	MHD_stop_daemon(server->daemon);
	destroy(server);
	return NULL;
}

unsigned tc_http_server_streams(struct tc_http_server *server)
{
	TC_LOCKED(&server->streams.mutex);

	return server->streams.count;
}

unsigned long long tc_http_server_streams_cut(struct tc_http_server *server)
{
	return atomic_load(&server->streams.cut);
}

unsigned tc_http_server_in_flight(const struct tc_http_server *server)
{
	/* Only the lock is changed, and it is not part of what the caller sees as constant. */
	pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&server->mutex;
	TC_LOCKED(mutex);

	return server->in_flight;
}

unsigned long long tc_http_server_behind(const struct tc_http_server *server)
{
	return server->behind;
}

unsigned tc_http_server_connections(const struct tc_http_server *server)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info ? info->num_connections : 0;
}
