/* pg/connection.h: one connection of a pool: opening within a bound, waiting within a bound.
 * Private to pg/ and the session driver of lock/. */
#pragma once

#include "base/list.h"
#include "pg/statement.h"
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/pool.h>

struct tocsin_connection {
	struct tc_list node; /* in the pool's idle list, or unlinked while in use */
	struct tc_list all;  /* in the pool's list of all open connections */
	struct tocsin_pool *pool;
	PGconn *pg;
	uint64_t id; /* unique in the pool: what the watcher's epoll knows it by */
	uint64_t idle_since_ms;
	bool is_broken; /* never to be used again, whatever libpq thinks */
	uint64_t prepared[TC_SQL_MAX / 64];
};

struct tc_connection_settings {
	const char *conninfo, *application_name;
	unsigned idle_tx_timeout_ms, lock_timeout_ms; /* 0: leave the server's */
	bool has_generic_plans, avoids_seq_scans;     /* false: leave the server's */
};

/* Connects, at the latest by `deadline_ms`; sets what is to be set. The caller owns the result. */
int tc_connection_open(struct tocsin_connection **ret_connection,
		       const struct tc_connection_settings *settings, uint64_t deadline_ms,
		       struct tocsin_error *error);
struct tocsin_connection *tc_connection_close(struct tocsin_connection *connection);

/* True unless the server is known to have gone away; looks at the socket, does not block. */
bool tc_connection_is_alive(struct tocsin_connection *connection);

/* Sends what is buffered and waits until a result can be had without blocking. On failure the
 * connection is broken. */
int tc_connection_await(struct tocsin_connection *connection, uint64_t deadline_ms,
			struct tocsin_error *error);

static inline bool tc_connection_is_prepared(const struct tocsin_connection *connection,
					     const struct tc_sql *sql)
{
	return connection->prepared[sql->index / 64] >> (sql->index % 64) & 1;
}
static inline void tc_connection_set_prepared(struct tocsin_connection *connection,
					      const struct tc_sql *sql)
{
	connection->prepared[sql->index / 64] |= UINT64_C(1) << (sql->index % 64);
}
