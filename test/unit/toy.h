/* toy.h: a small table of procedures behind a real server, for tests of the router. */
#pragma once

#include "core/procedure/procedure.h"

struct toy {
	struct tc_executor *work;
	struct tc_router *router;
	struct tc_http_server *server;
	const char *url;
};

/* Credentials the toy knows: "Bearer manager", "Bearer reader", "Bearer slow" (a manager that only a
 * blocking look finds), "Bearer slow-stranger", "Bearer down" (the database is away). None: anonymous.
 * Cookies: "session" and "slow-session", with the token "token". */
void toy_start(struct toy *toy, unsigned work_threads, unsigned queue_max);
void toy_stop(struct toy *toy);

/* What the toy's handlers "keep" waits for; see the table in toy.c. */
void toy_await_kept(unsigned count);
void toy_release_kept(void);
