/* test/support/site.h: a server node in one process, asked over HTTP: a database of its own, a work executor of one
 * thread, a router and an HTTP server, in front of what the test makes for itself. Everybody may do everything.
 *
 * Main thread; both functions block. */
#pragma once

#include "core/app.h"
#include "core/procedure/procedure.h"
#include "core/procedure/router.h"
#include "http/server.h"

struct tc_site_options {
	const struct tc_procedure *const *tables;
	unsigned tables_count;
	unsigned work_max;        /* connections of the work pool */
	unsigned connections_max; /* of HTTP */
	/* Says who calls, at least by id; an admin, unless it says otherwise. On HTTP's thread or the executor's. */
	void (*identify)(struct tc_caller *caller);
};

struct tc_site {
	struct tc_app
		app; /* work and work_pool are there after the set-up; the rest is the test's */
	struct tc_router *router;
	struct tc_http_server *server;
	const struct tc_site_options *options; /* borrowed */
};

/* Group fixtures. The first prints what went wrong, and returns -1; the second also undoes what is half set up, and
 * frees the services that the test put into `app`: auth, live and outbox. */
int tc_site_setup(void **state, struct tc_site *site, const struct tc_site_options *options);
int tc_site_teardown(void **state, struct tc_site *site);
