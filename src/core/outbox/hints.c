/* The listener: one thread, one connection, one loop. The contract is in hints.h.
 *
 * Model. The thread connects, LISTENs, tells every subscriber to look for itself (detail NULL), says it is
 * connected, and then waits for notifications or the connection's end; then again, after a pause that
 * doubles up to BACKOFF_MAX_MS. Where the connection string names several hosts, it asks one after the other: libpq
 * would wait for one that takes the connection and is silent then. Every wait is a poll on the socket and on an eventfd that free writes, so
 * stopping never waits for the network. (Only resolving a host name blocks; the resolver bounds that.)
 *
 * A connection that dies without a word is noticed by TCP keepalives within half a minute; whoever
 * must not rely on hints for that long bounds what it remembers.
 *
 * Order of a (re)connect: LISTEN is in force, then subscribers forget, then `connected`: what was
 * remembered while nobody listened is never used.
 *
 * Locking: `lock` guards the subscribers; it is not held while they are called, so they may subscribe. */
#include "core/outbox/hints.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pg/hosts.h"
#include "sql_app.h"
#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define SUBSCRIBERS_MAX 16
#define TOPIC_SIZE      32
#define BACKOFF_MIN_MS  100u
#define BACKOFF_MAX_MS  5000u
/* All addresses of the only host together; one that does not take connections is left after tcp_user_timeout. */
#define CONNECT_TIMEOUT_MS 60000u
#define HOST_TIMEOUT_MS    15000u /* the same, of one of several */
#define LISTEN_TIMEOUT_MS  10000u

struct subscriber {
	char topic[TOPIC_SIZE];
	tc_hint_fn hint;
	void *userdata;
};

struct tc_hints {
	char *conninfo;
	unsigned hosts; /* that the connection string names */
	unsigned host;  /* whose turn it is: the thread's */
	int stop_fd;
	pthread_t thread;
	bool is_started;
	atomic_bool is_connected;
	pthread_mutex_t lock;
	unsigned count; /* under the lock */
	struct subscriber subscribers[SUBSCRIBERS_MAX];
};

TC_DEFINE_CLEANUP(struct tc_hints *, tc_hints_free);
TC_DEFINE_CLEANUP(PGconn *, PQfinish);

enum wait_result { WAIT_READY, WAIT_TIMEOUT, WAIT_STOP };

/* Waits for `events` on `fd` (negative: for nothing), at most until the deadline (0: for ever). */
static enum wait_result wait_for(struct tc_hints *hints, int fd, short events, uint64_t deadline_ms)
{
	struct pollfd fds[] = {{.fd = hints->stop_fd, .events = POLLIN},
			       {.fd = fd, .events = events}};

	for (;;) {
		int timeout_ms = deadline_ms ? (int)tc_clock_remaining_ms(deadline_ms) : -1;
		int ready = poll(fds, TC_ARRAY_LENGTH(fds), timeout_ms);

		if (fds[0].revents && ready > 0)
			return WAIT_STOP;
		if (ready > 0)
			return WAIT_READY;
		if (ready == 0)
			return WAIT_TIMEOUT;
		if (errno != EINTR) {
			/* Only for want of kernel memory: the pause of the caller's loop must still end. */
			tc_log_error("hints.poll", "waiting failed: %s", strerror(errno));
			return WAIT_TIMEOUT;
		}
	}
}

/* The subscribers, copied, so that they are called without the lock. */
static unsigned copy_subscribers(struct tc_hints *hints,
				 struct subscriber ret[static SUBSCRIBERS_MAX])
{
	TC_LOCKED(&hints->lock);

	memcpy(ret, hints->subscribers, sizeof(hints->subscribers));
	return hints->count;
}

static void tell_all_to_look(struct tc_hints *hints)
{
	struct subscriber subscribers[SUBSCRIBERS_MAX];
	unsigned count = copy_subscribers(hints, subscribers);

	for (unsigned i = 0; i < count; i++)
		subscribers[i].hint(NULL, subscribers[i].userdata);
}

/* A payload without a detail means the whole topic, as after a reconnect: detail NULL. */
static void tell(struct tc_hints *hints, const char *payload)
{
	struct subscriber subscribers[SUBSCRIBERS_MAX];
	unsigned count = copy_subscribers(hints, subscribers);
	size_t length = strcspn(payload, ":");
	const char *detail = payload[length] ? payload + length + 1 : NULL;

	for (unsigned i = 0; i < count; i++)
		if (strlen(subscribers[i].topic) == length &&
		    memcmp(subscribers[i].topic, payload, length) == 0)
			subscribers[i].hint(detail, subscribers[i].userdata);
}

static PGconn *start_connecting(const struct tc_hints *hints)
{
	/* dbname is expanded; what comes after it wins, unless it is NULL. */
	static const char *const names[] = {"dbname",
					    "host",
					    "hostaddr",
					    "port",
					    "application_name",
					    "keepalives",
					    "keepalives_idle",
					    "keepalives_count",
					    "keepalives_interval",
					    "tcp_user_timeout",
					    NULL};
	TC_HOST host = {0};

	tc_host_init(&host, hints->conninfo, hints->host);
	const char *const values[] = {hints->conninfo,
				      host.host,
				      host.hostaddr,
				      host.port,
				      "tocsin listener",
				      "1",
				      "10",
				      "3",
				      "5",
				      "10000",
				      NULL};

	static_assert(TC_ARRAY_LENGTH(names) == TC_ARRAY_LENGTH(values), "a value for each name");
	return PQconnectStartParams(names, values, 1);
}

static enum wait_result finish_connecting(struct tc_hints *hints, PGconn *pg)
{
	uint64_t deadline_ms =
		tc_clock_ms() + (hints->hosts > 1 ? HOST_TIMEOUT_MS : CONNECT_TIMEOUT_MS);
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
		short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		enum wait_result result = wait_for(hints, PQsocket(pg), events, deadline_ms);

		if (result != WAIT_READY)
			return result;
		status = PQconnectPoll(pg);
	}
	return WAIT_READY;
}

/* Sends LISTEN and waits for its answer. False if it failed or we are stopping. */
static bool listen_on(struct tc_hints *hints, PGconn *pg)
{
	uint64_t deadline_ms = tc_clock_ms() + LISTEN_TIMEOUT_MS;
	bool is_listening = false;
	PGresult *result;

	if (!PQsendQuery(pg, tc_sql_outbox_listen.text))
		return false;
	for (;;) {
		while (PQisBusy(pg)) {
			if (wait_for(hints, PQsocket(pg), POLLIN, deadline_ms) != WAIT_READY ||
			    !PQconsumeInput(pg))
				return false;
		}
		result = PQgetResult(pg);
		if (!result)
			return is_listening;
		is_listening = PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
	}
}

/* Serves until the connection ends or we stop. */
static void receive(struct tc_hints *hints, PGconn *pg)
{
	for (;;) {
		PGnotify *notify;

		while ((notify = PQnotifies(pg))) {
			tell(hints, notify->extra);
			PQfreemem(notify);
		}
		if (wait_for(hints, PQsocket(pg), POLLIN, 0) != WAIT_READY || !PQconsumeInput(pg) ||
		    PQstatus(pg) != CONNECTION_OK)
			return;
	}
}

/* One connection's life. True if it ever listened. */
static bool serve_once(struct tc_hints *hints)
{
	TC_CLEANUP(PQfinish) PGconn *pg = start_connecting(hints);

	if (!pg || PQstatus(pg) == CONNECTION_BAD || finish_connecting(hints, pg) == WAIT_STOP)
		return false;
	if (PQstatus(pg) != CONNECTION_OK || !listen_on(hints, pg)) {
		tc_log_debug("hints.connect", "cannot listen for hints: %s", PQerrorMessage(pg));
		return false;
	}
	tell_all_to_look(hints);
	atomic_store(&hints->is_connected, true);
	tc_log_debug("hints.connected", "listening for hints");
	receive(hints, pg);
	atomic_store(&hints->is_connected, false);
	return true;
}

/* Each host has its turn, first the one that listened last. True if one ever listened. */
static bool serve(struct tc_hints *hints)
{
	for (unsigned i = 0; i < hints->hosts; i++) {
		if (serve_once(hints))
			return true;
		if (wait_for(hints, -1, 0, tc_clock_ms()) == WAIT_STOP)
			break; /* the next one's name would be looked up first */
		hints->host = (hints->host + 1) % hints->hosts;
	}
	return false;
}

static void *run(void *argument)
{
	struct tc_hints *hints = argument;
	uint64_t pause_ms = BACKOFF_MIN_MS;
	bool is_warned = false;

	for (;;) {
		bool listened = serve(hints);

		if (listened)
			pause_ms = BACKOFF_MIN_MS;
		if (wait_for(hints, -1, 0, tc_clock_ms() + pause_ms) == WAIT_STOP)
			return NULL;
		if (listened || !is_warned)
			tc_log_warning("hints.disconnected",
				       "no hints from the database; connecting again");
		is_warned = true;
		pause_ms = TC_MIN(pause_ms * 2, BACKOFF_MAX_MS);
	}
}

int tc_hints_new(struct tc_hints **ret_hints, const char *conninfo, struct tocsin_error *error)
{
	TC_CLEANUP(tc_hints_free) struct tc_hints *hints = calloc(1, sizeof(*hints));
	int result;

	if (!hints)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the listener");
	tc_mutex_init(&hints->lock);
	hints->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hints->stop_fd < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot make an eventfd: %s",
					strerror(errno));
	hints->conninfo = strdup(conninfo);
	if (!hints->conninfo)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the listener");
	hints->hosts = tc_hosts_count(conninfo);
	result = tc_thread_start(&hints->thread, "hints", run, hints, error);
	if (result)
		return result;
	hints->is_started = true;
	*ret_hints = tc_take(hints);
	return TOCSIN_OK;
}

int tc_hints_subscribe(struct tc_hints *hints, const char *topic, tc_hint_fn hint, void *userdata,
		       struct tocsin_error *error)
{
	TC_LOCKED(&hints->lock);
	struct subscriber *subscriber = &hints->subscribers[hints->count];

	if (strlen(topic) >= TOPIC_SIZE || strchr(topic, ':'))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"a topic has at most %d bytes and no colon",
					TOPIC_SIZE - 1);
	if (hints->count == SUBSCRIBERS_MAX)
		return tocsin_error_set(error, TOCSIN_E_FULL,
					"there are %d subscribers to hints already",
					SUBSCRIBERS_MAX);
	*subscriber = (struct subscriber){.hint = hint, .userdata = userdata};
	snprintf(subscriber->topic, sizeof(subscriber->topic), "%s", topic);
	hints->count++;
	return TOCSIN_OK;
}

bool tc_hints_is_connected(const struct tc_hints *hints)
{
	return atomic_load(&hints->is_connected);
}

struct tc_hints *tc_hints_free(struct tc_hints *hints)
{
	if (!hints)
		return NULL;
	if (hints->is_started) {
		/* An eventfd takes one more increment unless 2^64-2 are pending: this cannot fail. */
		(void)!eventfd_write(hints->stop_fd, 1);
		pthread_join(hints->thread, NULL);
	}
	if (hints->stop_fd >= 0)
		close(hints->stop_fd);
	pthread_mutex_destroy(&hints->lock);
	free(hints->conninfo);
	free(hints);
	return NULL;
}
