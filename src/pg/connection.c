/* pg/connection.c: see connection.h.
 *
 * Connections are non-blocking in libpq's sense: every wait is a poll() of ours, with a deadline. The
 * one exception is a connection string with several hosts: only libpq's blocking connect moves on to
 * the next host when one does not answer, so that path is bounded by connect_timeout a host. */
#include "pg/connection.h"

#include "base/clock.h"
#include "pg/hosts.h"
#include "pg/query.h"
#include "sql_lib.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TC_DEFINE_CLEANUP(struct tocsin_connection *, tc_connection_close);

/* Less than 2 is rounded up by libpq. */
#define HOST_TIMEOUT_MIN_S 2u
/* To set up a connection in, where several hosts took more time than there was. */
#define OVERTIME_MS 500u

/* 1 ready, 0 past the deadline, -1 failed. */
static int poll_socket(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd wanted = {.fd = fd, .events = events};
	int ready;

	do {
		ready = poll(&wanted, 1, (int)TC_MIN(tc_clock_remaining_ms(deadline_ms), 3600000u));
	} while (ready < 0 && errno == EINTR);
	return ready;
}

static int fail_connecting(const PGconn *pg, const char *why, struct tocsin_error *error)
{
	const char *said = pg ? PQerrorMessage(pg) : "out of memory";

	tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "cannot connect to the database: %.*s",
			 (int)strcspn(*said ? said : why, "\n"), *said ? said : why);
	return TOCSIN_E_UNAVAILABLE;
}

/* libpq has only begun its own sentence. */
static int fail_late(struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE,
				"cannot connect to the database: no answer within the "
				"connection timeout");
}

static int complete_connecting(PGconn *pg, uint64_t deadline_ms, struct tocsin_error *error)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	while (PQstatus(pg) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
		int ready =
			poll_socket(PQsocket(pg), next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
				    deadline_ms);
		if (ready <= 0)
			return fail_late(error);
		next = PQconnectPoll(pg);
		if (next == PGRES_POLLING_FAILED)
			break;
	}
	if (PQstatus(pg) != CONNECTION_OK)
		return fail_connecting(pg, "refused", error);
	return TOCSIN_OK;
}

static int connect_pg(PGconn **ret_pg, const struct tc_connection_settings *settings,
		      uint64_t deadline_ms, struct tocsin_error *error)
{
	unsigned hosts = tc_hosts_count(settings->conninfo);
	uint64_t left_s = tc_clock_remaining_ms(deadline_ms) / 1000;
	char host_timeout_s[16];
	/* Those before dbname are defaults that the connection string may override. */
	const char *keywords[] = {"keepalives_idle",
				  "tcp_user_timeout",
				  "connect_timeout",
				  "dbname",
				  "application_name",
				  "client_encoding",
				  NULL};
	const char *values[] = {
		"30",   "30000", host_timeout_s, settings->conninfo, settings->application_name,
		"UTF8", NULL};

	snprintf(host_timeout_s, sizeof(host_timeout_s), "%u",
		 (unsigned)TC_MAX(left_s / hosts, HOST_TIMEOUT_MIN_S));
	if (hosts > 1) {
		*ret_pg = PQconnectdbParams(keywords, values, 1);
		return PQstatus(*ret_pg) == CONNECTION_OK
			       ? TOCSIN_OK
			       : fail_connecting(*ret_pg, "refused", error);
	}
	*ret_pg = PQconnectStartParams(keywords, values, 1);
	return *ret_pg ? complete_connecting(*ret_pg, deadline_ms, error)
		       : fail_connecting(NULL, "", error);
}

/* A library does not write on standard error: notices are dropped. But libpq takes for a notice what a
 * server says to an idle connection before it closes it, and then sees nothing wrong with the
 * connection; between these words and the hang-up may lie the whole exit of the server's process. */
static void hear_notice(void *userdata, const PGresult *result)
{
	struct tocsin_connection *connection = userdata;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
		connection->is_broken = true;
}

/* A pooler such as PgBouncer takes connections while its server is away, and is silent at the first statement. */
static int apply_settings(struct tocsin_connection *connection,
			  const struct tc_connection_settings *settings, uint64_t deadline_ms,
			  struct tocsin_error *error)
{
	char idle_tx_timeout_ms[16], lock_timeout_ms[16];
	const char *values[] = {idle_tx_timeout_ms, lock_timeout_ms,
				settings->has_generic_plans ? "force_generic_plan" : NULL,
				settings->avoids_seq_scans ? "off" : NULL};
	uint64_t left_ms = tc_clock_remaining_ms(deadline_ms);
	TC_PIPELINE pipeline = {0};
	int code;

	if (settings->idle_tx_timeout_ms == 0 && settings->lock_timeout_ms == 0 &&
	    !settings->has_generic_plans && !settings->avoids_seq_scans)
		return TOCSIN_OK;
	snprintf(idle_tx_timeout_ms, sizeof(idle_tx_timeout_ms), "%u",
		 settings->idle_tx_timeout_ms);
	snprintf(lock_timeout_ms, sizeof(lock_timeout_ms), "%u", settings->lock_timeout_ms);
	if (settings->idle_tx_timeout_ms == 0)
		values[0] = NULL;
	if (settings->lock_timeout_ms == 0)
		values[1] = NULL;
	tc_pipeline_begin(&pipeline, connection);
	pipeline.timeout_ms = left_ms > 0 ? left_ms : OVERTIME_MS;
	tc_pipeline_add(&pipeline, &tc_sql_pg_set_session, values);
	code = tc_pipeline_run(&pipeline, error);
	if (code == TOCSIN_E_UNAVAILABLE && tc_clock_remaining_ms(deadline_ms) == 0)
		return fail_late(error);
	return code;
}

int tc_connection_open(struct tocsin_connection **ret_connection,
		       const struct tc_connection_settings *settings, uint64_t deadline_ms,
		       struct tocsin_error *error)
{
	TC_CLEANUP(tc_connection_close)
	struct tocsin_connection *connection = calloc(1, sizeof(*connection));
	int code;

	if (!connection)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a connection");
	tc_list_init(&connection->node);
	tc_list_init(&connection->all);
	code = connect_pg(&connection->pg, settings, deadline_ms, error);
	if (code != TOCSIN_OK)
		return code;
	PQsetNoticeReceiver(connection->pg, hear_notice, connection);
	if (PQsetnonblocking(connection->pg, 1) != 0)
		return fail_connecting(connection->pg, "cannot be made non-blocking", error);
	code = apply_settings(connection, settings, deadline_ms, error);
	if (code != TOCSIN_OK)
		return code;
	*ret_connection = tc_take(connection);
	return TOCSIN_OK;
}

struct tocsin_connection *tc_connection_close(struct tocsin_connection *connection)
{
	if (!connection)
		return NULL;
	PQfinish(connection->pg);
	free(connection);
	return NULL;
}

bool tc_connection_is_alive(struct tocsin_connection *connection)
{
	struct pollfd socket = {.fd = PQsocket(connection->pg), .events = POLLIN | POLLRDHUP};

	if (connection->is_broken || PQstatus(connection->pg) != CONNECTION_OK)
		return false;
	if (poll(&socket, 1, 0) == 0)
		return true;
	if (socket.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
		return false;
	/* Something to read on an idle connection: a changed setting, or the server's last words. */
	if (!PQconsumeInput(connection->pg) || PQstatus(connection->pg) != CONNECTION_OK)
		return false;
	PQisBusy(connection->pg); /* parses what came */
	return PQstatus(connection->pg) == CONNECTION_OK && !connection->is_broken;
}

static int break_connection(struct tocsin_connection *connection, const char *why,
			    struct tocsin_error *error)
{
	const char *said = PQerrorMessage(connection->pg);

	connection->is_broken = true;
	return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "lost the database connection: %.*s",
				(int)strcspn(*said ? said : why, "\n"), *said ? said : why);
}

int tc_connection_await(struct tocsin_connection *connection, uint64_t deadline_ms,
			struct tocsin_error *error)
{
	PGconn *pg = connection->pg;

	for (;;) {
		int unsent = PQflush(pg);

		if (!PQisBusy(pg))
			return TOCSIN_OK; /* also when dead: PQgetResult then tells how */
		if (unsent < 0)
			return break_connection(connection, "cannot send", error);
		int ready = poll_socket(PQsocket(pg), (short)(unsent ? POLLIN | POLLOUT : POLLIN),
					deadline_ms);
		if (ready < 0)
			return break_connection(connection, strerror(errno), error);
		if (ready == 0)
			return break_connection(connection, "the server did not answer in time",
						error);
		if (!PQconsumeInput(pg))
			return break_connection(connection, "the server closed it", error);
	}
}
