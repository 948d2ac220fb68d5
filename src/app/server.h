/* app/server.h: the running server: everything that `tocsin serve` makes, in the order it is made. */
#pragma once

#include "app/config.h"
#include "app/database.h"
#include "core/app.h"
#include "core/procedure/procedure.h"

struct tc_nodes;
struct tc_event_reader;
struct tc_event_retention;

struct tc_server {
	struct tc_app app; /* what handlers get; the rest is found from it */
	const struct tc_config *config;
	struct tc_database database;
	bool has_database;
	bool is_setting_bad; /* the start failed because of a setting */
	int listen_fd;       /* bound, not listening yet; -1: none */
	struct tc_nodes *nodes;
	struct tocsin_pool *event_pool;
	struct tc_event_reader *audit;
	struct tc_event_retention *retention;
	struct tc_buffer openapi, docs; /* what the API says of itself */
	struct tc_router *router;
	/* Requests come in before its making has returned: handlers find NULL for a moment. */
	_Atomic(struct tc_http_server *) http;
};

/* Takes the address, so that a wrong one is told before anything is made, and makes the database reachable. `server`
 * is zeroed, but for listen_fd, -1; `config` is borrowed. Blocks, as long as a cluster is made or recovered. After
 * a failure of this or the next function close it, too. */
int tc_server_open_database(struct tc_server *server, const struct tc_config *config,
			    struct tocsin_error *error);
/* Starts everything else. Blocks. Prints the admin key, if one was made, on standard output. */
int tc_server_open(struct tc_server *server, struct tocsin_error *error);
/* Finishes requests in flight, and stops everything. Blocks. Allowed on a server that is half open. */
void tc_server_close(struct tc_server *server);

/* The server that a call came to. */
struct tc_server *tc_server_from(struct tc_app *app);

/* --- server_events.c: everything behind the outbox, as server.c starts and stops it --- */

/* The most HTTP connections we want, and files and sockets that are none. */
#define TC_SERVER_CONNECTIONS_MAX 16384u
#define TC_SERVER_OTHER_FILES_MAX 1024u

/* Most HTTP connections: what the limit of open files leaves, and not more than we want. */
unsigned tc_server_connections_max(void);
/* Makes outbox, streams and durable readers; blocks. Whoever subscribes to events does so after this. */
int tc_server_open_events(struct tc_server *server, struct tocsin_error *error);
/* server_cache.c: makes the cache, which hears of events; after the above, freed with it. Does not block. */
int tc_server_open_cache(struct tc_server *server, struct tocsin_error *error);
/* Events are read from here on; blocks until those there are have been. Before requests come. */
int tc_server_start_events(struct tc_server *server, struct tocsin_error *error);
/* When requests and hints have stopped. Allowed on what is half open. */
void tc_server_close_events(struct tc_server *server);

/* Procedures /openapi.json and /docs (openapi_api.c), and making what they answer, before requests come. */
extern const struct tc_procedure tc_openapi_procedures[];
int tc_server_open_openapi(struct tc_server *server, struct tocsin_error *error);

/* Procedures /healthz, /readyz and /metrics (status_api.c); ends with a row whose name is NULL. */
extern const struct tc_procedure tc_status_procedures[];
/* What others count, in Prometheus' text format (status_metrics.c). Does not block. */
void tc_status_metrics_format(struct tc_server *server, struct tc_buffer *out);
