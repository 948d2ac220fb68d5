/* app/status_metrics.c: what pools, locks, batchers, executors and the node know of themselves, at the moment of a
 * scrape. It is gathered in one struct; tables say what of it is shown. */
#include "app/server.h"

#include "app/nodes.h"
#include "base/macro.h"
#include "core/cache/cache.h"
#include "core/metrics.h"
#include "core/outbox/event_retention.h"
#include "core/outbox/hints.h"
#include "core/outbox/outbox.h"
#include "http/stream.h"
#include "modules/alert/alert.h"
#include "modules/catalog/deleter.h"
#include "modules/event/live.h"
#include "modules/incident/creator.h"
#include <stdio.h>

#define MICROSECONDS 1e6

struct numbers {
	struct tocsin_pool_stats work_pool, lock_pool;
	struct tocsin_locks_stats locks;
	struct tc_executor_stats work;
	struct tc_nodes_status nodes;
	struct tc_outbox_stats outbox;
	struct tc_event_live_stats live;
	struct tc_incident_creator_stats creates;
	struct tc_alert_stats alerts;
	struct tc_batcher_stats deletions;
	struct tc_cache_stats cache;
	unsigned requests_in_flight, connections;
	uint64_t answers_behind, streams_cut, events_removed;
	bool are_hints_connected;
};

#define POOL(field)    TC_METRIC(struct tocsin_pool_stats, field)
#define BATCHER(field) TC_METRIC(struct tc_batcher_stats, field)
#define NODE(field)    TC_METRIC(struct numbers, field)

/* Of each pool. */
static const struct tc_metric pool_rows[] = {
	{"tocsin_pool_connections_max", "gauge", "Most connections the pool may open.", POOL(max)},
	{"tocsin_pool_waiting", "gauge", "Callers waiting for a connection.", POOL(waiting)},
	{"tocsin_pool_acquired_total", "counter", "Connections handed out.", POOL(acquired)},
	{"tocsin_pool_waits_total", "counter", "Callers that had to wait.", POOL(waited)},
	{"tocsin_pool_wait_seconds_total", "counter", "Time spent waiting.", POOL(wait_us),
	 .per_unit = MICROSECONDS},
	{"tocsin_pool_timeouts_total", "counter", "Callers that got no connection in time.",
	 POOL(timeouts)},
	{"tocsin_pool_opened_total", "counter", "Connections opened.", POOL(opened)},
	{"tocsin_pool_closed_total", "counter", "Connections closed.", POOL(closed)},
	{"tocsin_pool_died_total", "counter", "Idle connections whose server went away.",
	 POOL(died)},
};

/* Of each batcher. */
static const struct tc_metric batcher_rows[] = {
	{"tocsin_batcher_queued", "gauge", "Requests waiting for a batch.", BATCHER(queued)},
	{"tocsin_batcher_contended_keys", "gauge", "Keys held elsewhere that requests wait for.",
	 BATCHER(contended_keys)},
	{"tocsin_batcher_contended_items", "gauge", "Requests that wait for such keys.",
	 BATCHER(contended_items)},
	{"tocsin_batcher_batches_total", "counter", "Batches run.", BATCHER(batches)},
	{"tocsin_batcher_items_total", "counter", "Requests run in them.", BATCHER(items)},
	{"tocsin_batcher_lock_waits_total", "counter", "Requests whose key was held elsewhere.",
	 BATCHER(waited)},
	{"tocsin_batcher_lock_wait_seconds_total", "counter",
	 "Time they waited, of those that are answered.", BATCHER(wait_us),
	 .per_unit = MICROSECONDS},
	{"tocsin_batcher_lock_timeouts_total", "counter",
	 "Requests refused as their key was not granted in time.", BATCHER(timeouts)},
};

/* Of the HTTP server, but for the moment in which it is made. */
static const struct tc_metric http_rows[] = {
	{"tocsin_http_requests_in_flight", "gauge", "Requests that are being answered.",
	 NODE(requests_in_flight)},
	{"tocsin_http_connections", "gauge", "Open HTTP connections.", NODE(connections)},
	{"tocsin_http_answers_behind_total", "counter",
	 "Answers that let others go first: those of a storm, but for its first.",
	 NODE(answers_behind)},
	{"tocsin_event_streams_cut_total", "counter",
	 "Streams whose readers were too slow, and were disconnected.", NODE(streams_cut)},
};

/* Of all nodes, while the database answers: better no number than an old one. */
static const struct tc_metric nodes_rows[] = {
	{"tocsin_nodes", "gauge", "Nodes that share the database.", NODE(nodes.nodes)},
	{"tocsin_nodes_connections_wanted", "gauge", "Most connections that all nodes may open.",
	 NODE(nodes.connections_wanted)},
	{"tocsin_nodes_connections_available", "gauge",
	 "Connections the database server has for them: max_connections less the reserved ones.",
	 NODE(nodes.connections_available)},
};

static const struct tc_metric node_rows[] = {
	{"tocsin_pool_connections", "gauge", "Connections by state.", NODE(work_pool.idle),
	 .labels = "pool=\"work\",state=\"idle\""},
	{"tocsin_pool_connections", "gauge", NULL, NODE(work_pool.in_use),
	 .labels = "pool=\"work\",state=\"in_use\""},
	{"tocsin_pool_connections", "gauge", NULL, NODE(work_pool.connecting),
	 .labels = "pool=\"work\",state=\"connecting\""},
	{"tocsin_pool_connections", "gauge", NULL, NODE(lock_pool.idle),
	 .labels = "pool=\"lock\",state=\"idle\""},
	{"tocsin_pool_connections", "gauge", NULL, NODE(lock_pool.in_use),
	 .labels = "pool=\"lock\",state=\"in_use\""},
	{"tocsin_pool_connections", "gauge", NULL, NODE(lock_pool.connecting),
	 .labels = "pool=\"lock\",state=\"connecting\""},
	{"tocsin_lock_sessions", "gauge", "Session locks held.", NODE(locks.sessions)},
	{"tocsin_lock_waiting", "gauge", "Callers waiting for a key.", NODE(locks.waiting)},
	{"tocsin_lock_acquired_total", "counter", "Keys granted.", NODE(locks.acquired)},
	{"tocsin_lock_waits_total", "counter", "Callers that had to wait for a key.",
	 NODE(locks.waited)},
	{"tocsin_lock_wait_seconds_total", "counter", "Time spent waiting for keys.",
	 NODE(locks.wait_us), .per_unit = MICROSECONDS},
	{"tocsin_lock_timeouts_total", "counter", "Keys not granted in time.",
	 NODE(locks.timeouts)},
	{"tocsin_lock_lost_total", "counter", "Locks lost while they were held.", NODE(locks.lost)},
	{"tocsin_lock_deadlocks_total", "counter",
	 "Operations ended because they waited for each other.", NODE(locks.deadlocks)},
	{"tocsin_executor_queued", "gauge", "Requests waiting for a thread of the work executor.",
	 NODE(work.queued)},
	{"tocsin_executor_jobs_total", "counter", "Requests its threads took.", NODE(work.jobs)},
	{"tocsin_executor_rounds_total", "counter",
	 "How often they took some: reads of one thing that wait go together.", NODE(work.rounds)},
	{"tocsin_hints_connected", "gauge", "Whether hints of other nodes can be heard.",
	 NODE(are_hints_connected)},
	{"tocsin_database_up", "gauge", "Whether the database answered the last heartbeat.",
	 NODE(nodes.is_known)},
	{"tocsin_event_streams", "gauge", "Open streams of events.", NODE(live.streams)},
	{"tocsin_event_streams_resumed_total", "counter",
	 "Streams that caught up from the database.", NODE(live.resumed)},
	{"tocsin_event_streams_gaps_total", "counter",
	 "Times a stream was told that events are gone, and to read anew.", NODE(live.gaps)},
	{"tocsin_event_streams_refused_total", "counter",
	 "Streams refused to callers who had as many as they may.", NODE(live.refused)},
	{"tocsin_events_delivered_total", "counter", "Events told to streams, once for each.",
	 NODE(live.delivered)},
	{"tocsin_outbox_events_total", "counter", "Events this node has read.",
	 NODE(outbox.events)},
	{"tocsin_outbox_documents_total", "counter",
	 "Of these, events read with what streams are told: while there are streams.",
	 NODE(outbox.documents)},
	{"tocsin_outbox_gaps_total", "counter",
	 "Times events were gone before this node had read them.", NODE(outbox.gaps)},
	{"tocsin_outbox_looks_total", "counter", "Times this node looked for events.",
	 NODE(outbox.looks)},
	{"tocsin_hints_sent_total", "counter",
	 "Hints sent to other nodes, each for all commits since the last.",
	 NODE(outbox.hints_sent)},
	{"tocsin_events_removed_total", "counter",
	 "Old events, entries of the audit trail and resolved alerts that this node removed.",
	 NODE(events_removed)},
	{"tocsin_deduped_creates_total", "counter", "Deduped creates by what became of them.",
	 NODE(creates.created), .labels = "outcome=\"created\""},
	{"tocsin_deduped_creates_total", "counter", NULL, NODE(creates.reused),
	 .labels = "outcome=\"reused\""},
	{"tocsin_deduped_creates_total", "counter", NULL, NODE(creates.refused),
	 .labels = "outcome=\"refused\""},
	{"tocsin_deduped_creates_total", "counter", NULL, NODE(creates.failed),
	 .labels = "outcome=\"failed\""},
	{"tocsin_alerts_received_total", "counter", "Alerts received.", NODE(alerts.received)},
	{"tocsin_alerts_total", "counter", "Alerts by what became of them.", NODE(alerts.opened),
	 .labels = "outcome=\"opened\""},
	{"tocsin_alerts_total", "counter", NULL, NODE(alerts.joined),
	 .labels = "outcome=\"joined\""},
	{"tocsin_alerts_total", "counter", NULL, NODE(alerts.repeated),
	 .labels = "outcome=\"repeated\""},
	{"tocsin_alerts_total", "counter", NULL, NODE(alerts.acknowledged),
	 .labels = "outcome=\"acknowledged\""},
	{"tocsin_alerts_total", "counter", NULL, NODE(alerts.resolved),
	 .labels = "outcome=\"resolved\""},
	{"tocsin_alerts_total", "counter", NULL, NODE(alerts.dropped),
	 .labels = "outcome=\"dropped\""},
	{"tocsin_alerts_total", "counter", NULL, NODE(alerts.failed),
	 .labels = "outcome=\"failed\""},
	{"tocsin_alerts_incidents_resolved_total", "counter",
	 "Incidents resolved with their last firing alert.", NODE(alerts.incidents_resolved)},
	{"tocsin_cache_entries", "gauge", "Answers that are kept.", NODE(cache.entries)},
	{"tocsin_cache_bytes", "gauge", "Memory for them.", NODE(cache.bytes)},
	{"tocsin_cache_hits_total", "counter", "Reads answered from the cache.", NODE(cache.hits)},
	{"tocsin_cache_loads_total", "counter", "Reads that were kept, if nothing overtook them.",
	 NODE(cache.loads)},
	{"tocsin_cache_waits_total", "counter", "Reads that waited for another's load.",
	 NODE(cache.waits)},
	{"tocsin_cache_bypasses_total", "counter", "Reads the cache was no use for.",
	 NODE(cache.bypasses)},
	{"tocsin_cache_evicted_total", "counter", "Answers that had to make room.",
	 NODE(cache.evicted)},
};

static void format_lags(const struct tc_nodes_status *status, struct tc_buffer *out)
{
	const char *const seconds = "tocsin_outbox_lag_seconds";
	const char *const unread = "tocsin_outbox_unread";
	char labels[96];

	tc_metrics_head(out, seconds, "gauge",
			"Age of the oldest event that a reader of the outbox has not read.");
	for (unsigned i = 0; i < status->lags_count; i++) {
		snprintf(labels, sizeof(labels), "reader=\"%s\"", status->lags[i].reader);
		tc_metrics_sample(out, seconds, labels, status->lags[i].seconds);
	}
	tc_metrics_head(out, unread, "gauge", "Events that a reader of the outbox has not read.");
	for (unsigned i = 0; i < status->lags_count; i++) {
		snprintf(labels, sizeof(labels), "reader=\"%s\"", status->lags[i].reader);
		tc_metrics_sample(out, unread, labels, (double)status->lags[i].count);
	}
}

/* `http` NULL: it is just being made. */
static void gather(struct tc_server *server, struct tc_http_server *http,
		   struct numbers *ret_numbers)
{
	struct tc_app *app = &server->app;

	*ret_numbers = (struct numbers){
		.events_removed = tc_event_retention_removed(server->retention),
		.are_hints_connected = tc_hints_is_connected(app->hints),
	};
	if (http) {
		ret_numbers->requests_in_flight = tc_http_server_in_flight(http);
		ret_numbers->connections = tc_http_server_connections(http);
		ret_numbers->answers_behind = tc_http_server_behind(http);
		ret_numbers->streams_cut = tc_http_server_streams_cut(http);
	}
	tocsin_pool_get_stats(app->work_pool, &ret_numbers->work_pool);
	tocsin_pool_get_stats(app->lock_pool, &ret_numbers->lock_pool);
	tocsin_locks_get_stats(app->locks, &ret_numbers->locks);
	tc_executor_get_stats(app->work, &ret_numbers->work);
	tc_nodes_get_status(server->nodes, &ret_numbers->nodes);
	tc_outbox_get_stats(app->outbox, &ret_numbers->outbox);
	tc_event_live_get_stats(app->live, &ret_numbers->live);
	tc_incident_creator_get_stats(app->creator, &ret_numbers->creates);
	tc_alert_intake_get_stats(app->alerts, &ret_numbers->alerts);
	tc_catalog_deleter_get_stats(app->deleter, &ret_numbers->deletions);
	tc_cache_get_stats(app->cache, &ret_numbers->cache);
}

#define SHOW(out, rows, sources)                                                                   \
	tc_metrics_table(out, rows, TC_ARRAY_LENGTH(rows), sources, TC_ARRAY_LENGTH(sources))

void tc_status_metrics_format(struct tc_server *server, struct tc_buffer *out)
{
	struct tc_http_server *http = server->http;
	struct numbers numbers;
	const struct tc_metric_source node[] = {{&numbers, NULL}};
	const struct tc_metric_source pools[] = {{&numbers.work_pool, "pool=\"work\""},
						 {&numbers.lock_pool, "pool=\"lock\""}};
	const struct tc_metric_source batchers[] = {
		{&numbers.creates.batcher, "batcher=\"create\""},
		{&numbers.alerts.batcher, "batcher=\"alert\""},
		{&numbers.deletions, "batcher=\"delete\""},
	};

	gather(server, http, &numbers);
	SHOW(out, node_rows, node);
	SHOW(out, pool_rows, pools);
	SHOW(out, batcher_rows, batchers);
	if (http)
		SHOW(out, http_rows, node);
	if (numbers.nodes.is_known) {
		SHOW(out, nodes_rows, node);
		format_lags(&numbers.nodes, out);
	}
}
