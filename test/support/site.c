/* test/support/site.c: see site.h. */
#include "support/site.h"

#include "base/macro.h"
#include "core/outbox/outbox.h"
#include "core/work/executor.h"
#include "modules/auth/auth.h"
#include "modules/event/live.h"
#include "support/crew.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define QUEUE_MAX 20

static enum tc_auth_answer authenticate(struct tc_app *app,
					const struct tc_credentials *credentials, bool may_block,
					struct tc_caller *ret_caller, struct tocsin_error *error)
{
	const struct tc_site *site = tc_container_of(app, struct tc_site, app);

	(void)credentials, (void)may_block, (void)error;
	*ret_caller = (struct tc_caller){.rules = UINT32_MAX, .role = "admin"};
	site->options->identify(ret_caller);
	return TC_AUTH_OK;
}

static int serve(struct tc_site *site, struct tocsin_error *error)
{
	struct tc_router_options router = {.tables = site->options->tables,
					   .tables_count = site->options->tables_count,
					   .app = &site->app,
					   .work_pool = site->app.work_pool,
					   .authenticate = authenticate};
	struct tc_http_options http = {.listen = "127.0.0.1:0",
				       .threads = 1,
				       .max_body = 4096,
				       .max_connections = site->options->connections_max,
				       .idle_timeout_s = TC_PATIENCE_MS / 1000,
				       .handler = tc_router_handle};
	int result = tc_executor_new(&site->app.work, "work", 1, QUEUE_MAX, error);

	router.work = site->app.work;
	if (result == TOCSIN_OK)
		result = tc_router_new(&site->router, &router, error);
	http.userdata = site->router;
	return result ? result : tc_http_server_new(&site->server, &http, error);
}

int tc_site_setup(void **state, struct tc_site *site, const struct tc_site_options *options)
{
	struct tocsin_error error;

	site->options = options;
	if (tc_test_work_setup(state, options->work_max, &site->app.work_pool))
		return -1;
	if (serve(site, &error)) {
		print_error("%s\n", error.message);
		return -1;
	}
	return 0;
}

/* In the order of app/server.c. */
int tc_site_teardown(void **state, struct tc_site *site)
{
	struct tc_app *app = &site->app;

	site->server = tc_http_server_free(site->server, TC_BRIEFLY_MS);
	if (app->auth)
		tc_auth_stop(app->auth);
	app->work = tc_executor_free(app->work);
	site->router = tc_router_free(site->router);
	tc_outbox_stop(app->outbox);
	app->live = tc_event_live_free(app->live);
	app->outbox = tc_outbox_free(app->outbox);
	app->auth = tc_auth_free(app->auth);
	return tc_test_work_teardown(state, &app->work_pool);
}
