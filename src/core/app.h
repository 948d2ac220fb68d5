/* core/app.h: what a handler can reach. The app layer fills it once at start-up, before the HTTP
 * server starts, and it lives until after the server stopped: so it is read without a lock.
 * Modules' own services are opaque here; each is declared in the module's header. */
#pragma once

#include <stdbool.h>
#include <tocsin/tocsin.h>

struct tc_executor;
struct tc_hints;
struct tc_auth;             /* modules/auth/auth.h */
struct tc_incident_creator; /* modules/incident/creator.h */
struct tc_alert_intake;     /* modules/alert/alert.h */
struct tc_catalog_deleter;  /* modules/catalog/deleter.h */
struct tc_cache;            /* core/cache/cache.h */
struct tc_outbox;           /* core/outbox/outbox.h */
struct tc_event_live;       /* modules/event/live.h */

struct tc_app {
	struct tocsin_pool *work_pool, *lock_pool;
	struct tocsin_locks *locks;
	struct tc_executor *work; /* work executor: handlers that use the work pool run on it */
	struct tc_hints *hints;
	struct tc_auth *auth;
	struct tc_incident_creator *creator;
	struct tc_alert_intake *alerts;
	struct tc_catalog_deleter *deleter;
	struct tc_cache *cache;
	struct tc_outbox *outbox;
	struct tc_event_live *live;
	bool reject_unknown_systems;
};
