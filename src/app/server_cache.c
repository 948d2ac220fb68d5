/* app/server_cache.c: the wiring of the cache: which events drop what. Every node hears of every change
 * through the outbox, in its first stage: so who is told of a change finds no answer from before it. */
#include "app/server.h"
#include "core/cache/cache.h"
#include "core/outbox/hints.h"
#include "core/outbox/outbox.h"
#include <string.h>

/* The hint is no topic of ours: after a reconnect it is called like all. */
#define TOPIC "cache"

static bool is_live(void *userdata)
{
	const struct tc_app *app = userdata;

	return tc_hints_is_connected(app->hints) && tc_outbox_is_reading(app->outbox);
}

/* Something may have been missed. */
static void look_again(const char *detail, void *userdata)
{
	struct tc_app *app = userdata;

	(void)detail;
	tc_cache_drop_all(app->cache);
}

static void drop(struct tc_cache *cache, const struct tc_event *event)
{
	/* Incidents discover systems. */
	if (strcmp(event->kind, "incident.created") == 0)
		tc_cache_drop_lists(cache, TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG);
	else if (strncmp(event->kind, "incident.", strlen("incident.")) == 0)
		tc_cache_drop(cache, TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG, event->subject);
	else if (strncmp(event->kind, "catalog.", strlen("catalog.")) == 0)
		tc_cache_drop(cache, TC_ABOUT_CATALOG, NULL);
}

static void hear(const struct tc_event *events, unsigned count, void *userdata)
{
	struct tc_app *app = userdata;

	for (unsigned i = 0; i < count; i++)
		drop(app->cache, &events[i]);
}

/* Something was missed. */
static void hear_gap(const struct tc_event_position *position, void *userdata)
{
	struct tc_app *app = userdata;

	(void)position;
	tc_cache_drop_all(app->cache);
}

int tc_server_open_cache(struct tc_server *server, struct tocsin_error *error)
{
	struct tc_app *app = &server->app;
	const struct tc_cache_options options = {.is_live = is_live, .userdata = app};
	const struct tc_outbox_subscriber subscriber = {
		.tell = hear, .gap = hear_gap, .userdata = app};
	int result = tc_cache_new(&app->cache, &options, error);

	if (result == TOCSIN_OK)
		result = tc_hints_subscribe(app->hints, TOPIC, look_again, app, error);
	if (result == TOCSIN_OK)
		result = tc_outbox_subscribe(app->outbox, TC_OUTBOX_CACHES, &subscriber, error);
	return result;
}
