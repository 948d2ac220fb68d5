/* keeper.c: see keeper.h. */
#include "unit.h"

#include "keeper.h"

#include "base/thread.h"
#include <string.h>

void keep(struct tc_http_request *request, void *userdata)
{
	struct keeper *keeper = userdata;
	TC_LOCKED(&keeper->mutex);

	keeper->kept[keeper->count++] = request;
	pthread_cond_broadcast(&keeper->changed);
}

void keeper_init(struct keeper *keeper)
{
	*keeper = (struct keeper){0};
	tc_mutex_init(&keeper->mutex);
	tc_cond_init(&keeper->changed);
}

void keeper_await(struct keeper *keeper, unsigned count)
{
	TC_LOCKED(&keeper->mutex);

	while (keeper->count < count)
		tc_cond_wait(&keeper->changed, &keeper->mutex);
}

void respond_text(struct tc_http_request *request, unsigned status, const char *text)
{
	const struct tc_http_header header = {"X-Test", "yes"};

	tc_http_respond(request, &(struct tc_http_response){.status = status,
							    .content_type = "text/plain",
							    .body = strdup(text),
							    .body_length = strlen(text),
							    .headers = &header,
							    .headers_count = 1});
}

struct tc_http_server *start_server(void (*handler)(struct tc_http_request *, void *),
				    void *userdata, unsigned threads)
{
	struct tc_http_options options = {.listen = "127.0.0.1:0",
					  .threads = threads,
					  .max_body = MAX_BODY,
					  .max_connections = 100,
					  .idle_timeout_s = 30,
					  .handler = handler,
					  .userdata = userdata};
	struct tc_http_server *server = NULL;
	struct tocsin_error error = {0};

	assert_int_equal(tc_http_server_new(&server, &options, &error), TOCSIN_OK);
	return server;
}
