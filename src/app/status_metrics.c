/* app/status_metrics.c: what pools, locks, batchers, the executor and the node know of themselves, at
 * the moment of a scrape. Tables say what is shown; the functions only walk them. */
#include "app/server.h"

#include "app/nodes.h"
#include "base/macro.h"
#include "core/cache.h"
#include "core/event_retention.h"
#include "core/hints.h"
#include "core/metrics.h"
#include "core/outbox.h"
#include "http/stream.h"
#include "modules/alert/alert.h"
#include "modules/catalog/deleter.h"
#include "modules/event/live.h"
#include "modules/incident/creator.h"
#include <stdio.h>

#define MICROSECONDS 1e6

/* --- pools --- */

struct pools {
	struct tocsin_pool_stats work, lock;
};

#define POOL(member) offsetof(struct tocsin_pool_stats, member)

/* Numbers that are `unsigned` and say how things are now, and those that are uint64_t and only grow. */
static const struct {
	const char *name, *type, *help;
	size_t offset;
	bool is_counter;
	double unit;
} pool_metrics[] = {
	{"tocsin_pool_connections_max", "gauge", "Most connections the pool may open.", POOL(max),
	 false, 1},
	{"tocsin_pool_waiting", "gauge", "Callers waiting for a connection.", POOL(waiting), false,
	 1},
	{"tocsin_pool_acquired_total", "counter", "Connections handed out.", POOL(acquired), true,
	 1},
	{"tocsin_pool_waits_total", "counter", "Callers that had to wait.", POOL(waited), true, 1},
	{"tocsin_pool_wait_seconds_total", "counter", "Time spent waiting.", POOL(wait_us), true,
	 MICROSECONDS},
	{"tocsin_pool_timeouts_total", "counter", "Callers that got no connection in time.",
	 POOL(timeouts), true, 1},
	{"tocsin_pool_opened_total", "counter", "Connections opened.", POOL(opened), true, 1},
	{"tocsin_pool_closed_total", "counter", "Connections closed.", POOL(closed), true, 1},
	{"tocsin_pool_died_total", "counter", "Idle connections whose server went away.",
	 POOL(died), true, 1},
};

static double read_value(const void *base, size_t offset, bool is_counter, double unit)
{
	const char *field = (const char *)base + offset;

	if (is_counter)
		return (double)*(const uint64_t *)(const void *)field / unit;
	return (double)*(const unsigned *)(const void *)field / unit;
}

static void format_pool_states(const struct pools *pools, struct tc_buffer *out)
{
	const char *const name = "tocsin_pool_connections";

	tc_metrics_head(out, name, "gauge", "Connections by state.");
	tc_metrics_sample(out, name, "pool=\"work\",state=\"idle\"", pools->work.idle);
	tc_metrics_sample(out, name, "pool=\"work\",state=\"in_use\"", pools->work.in_use);
	tc_metrics_sample(out, name, "pool=\"work\",state=\"connecting\"", pools->work.connecting);
	tc_metrics_sample(out, name, "pool=\"lock\",state=\"idle\"", pools->lock.idle);
	tc_metrics_sample(out, name, "pool=\"lock\",state=\"in_use\"", pools->lock.in_use);
	tc_metrics_sample(out, name, "pool=\"lock\",state=\"connecting\"", pools->lock.connecting);
}

static void format_pools(struct tc_server *server, struct tc_buffer *out)
{
	struct pools pools;

	tocsin_pool_get_stats(server->app.work_pool, &pools.work);
	tocsin_pool_get_stats(server->app.lock_pool, &pools.lock);
	format_pool_states(&pools, out);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(pool_metrics); i++) {
		size_t offset = pool_metrics[i].offset;
		bool is_counter = pool_metrics[i].is_counter;
		double unit = pool_metrics[i].unit;

		tc_metrics_head(out, pool_metrics[i].name, pool_metrics[i].type,
				pool_metrics[i].help);
		tc_metrics_sample(out, pool_metrics[i].name, "pool=\"work\"",
				  read_value(&pools.work, offset, is_counter, unit));
		tc_metrics_sample(out, pool_metrics[i].name, "pool=\"lock\"",
				  read_value(&pools.lock, offset, is_counter, unit));
	}
}

/* --- one number each --- */

static void format_one(struct tc_buffer *out, const char *name, const char *type, const char *help,
		       double value)
{
	tc_metrics_head(out, name, type, help);
	tc_metrics_sample(out, name, NULL, value);
}

static void format_locks(struct tocsin_locks *locks, struct tc_buffer *out)
{
	struct tocsin_locks_stats stats;

	tocsin_locks_get_stats(locks, &stats);
	format_one(out, "tocsin_lock_sessions", "gauge", "Session locks held.", stats.sessions);
	format_one(out, "tocsin_lock_waiting", "gauge", "Callers waiting for a key.",
		   stats.waiting);
	format_one(out, "tocsin_lock_acquired_total", "counter", "Keys granted.",
		   (double)stats.acquired);
	format_one(out, "tocsin_lock_waits_total", "counter", "Callers that had to wait for a key.",
		   (double)stats.waited);
	format_one(out, "tocsin_lock_wait_seconds_total", "counter", "Time spent waiting for keys.",
		   (double)stats.wait_us / MICROSECONDS);
	format_one(out, "tocsin_lock_timeouts_total", "counter", "Keys not granted in time.",
		   (double)stats.timeouts);
	format_one(out, "tocsin_lock_lost_total", "counter", "Locks lost while they were held.",
		   (double)stats.lost);
	format_one(out, "tocsin_lock_deadlocks_total", "counter",
		   "Operations ended because they waited for each other.", (double)stats.deadlocks);
}

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

static void format_http(struct tc_http_server *http, struct tc_buffer *out)
{
	if (!http)
		return; /* it is just being made */
	format_one(out, "tocsin_http_requests_in_flight", "gauge",
		   "Requests that are being answered.", tc_http_server_in_flight(http));
	format_one(out, "tocsin_http_connections", "gauge", "Open HTTP connections.",
		   tc_http_server_connections(http));
	format_one(out, "tocsin_http_answers_behind_total", "counter",
		   "Answers that let others go first: those of a storm, but for its first.",
		   (double)tc_http_server_behind(http));
}

static void format_node(struct tc_server *server, struct tc_buffer *out)
{
	struct tc_nodes_status status;
	struct tc_executor_stats work, reads;

	tc_nodes_get_status(server->nodes, &status);
	tc_executor_get_stats(server->app.work, &work);
	tc_executor_get_stats(server->app.reads, &reads);
	format_one(out, "tocsin_executor_queued", "gauge",
		   "Requests waiting for a thread of the work executor.", work.queued);
	format_one(out, "tocsin_reads_queued", "gauge",
		   "Reads of one thing that wait for the database.", reads.queued);
	format_one(out, "tocsin_reads_total", "counter",
		   "Reads of one thing that the cache did not answer.", (double)reads.jobs);
	format_one(out, "tocsin_read_rounds_total", "counter",
		   "Round trips they took: those that wait together go together.",
		   (double)reads.rounds);
	format_one(out, "tocsin_hints_connected", "gauge",
		   "Whether hints of other nodes can be heard.",
		   tc_hints_is_connected(server->app.hints));
	format_one(out, "tocsin_database_up", "gauge",
		   "Whether the database answered the last heartbeat.", status.is_known);
	if (!status.is_known)
		return; /* better no number than an old one */
	format_one(out, "tocsin_nodes", "gauge", "Nodes that share the database.",
		   (double)status.nodes);
	format_one(out, "tocsin_nodes_connections_wanted", "gauge",
		   "Most connections that all nodes may open.", (double)status.connections_wanted);
	format_one(out, "tocsin_nodes_connections_available", "gauge",
		   "Connections the database server has for them: max_connections less the "
		   "reserved ones.",
		   (double)status.connections_available);
	format_lags(&status, out);
}

/* --- events --- */

static void format_events(struct tc_server *server, struct tc_buffer *out)
{
	struct tc_outbox_stats outbox;
	struct tc_event_live_stats live;

	tc_outbox_get_stats(server->app.outbox, &outbox);
	tc_event_live_get_stats(server->app.live, &live);
	format_one(out, "tocsin_event_streams", "gauge", "Open streams of events.", live.streams);
	format_one(out, "tocsin_event_streams_cut_total", "counter",
		   "Streams whose readers were too slow, and were disconnected.",
		   (double)tc_http_server_streams_cut(server->http));
	format_one(out, "tocsin_event_streams_resumed_total", "counter",
		   "Streams that caught up from the database.", (double)live.resumed);
	format_one(out, "tocsin_event_streams_gaps_total", "counter",
		   "Times a stream was told that events are gone, and to read anew.",
		   (double)live.gaps);
	format_one(out, "tocsin_event_streams_refused_total", "counter",
		   "Streams refused to callers who had as many as they may.", (double)live.refused);
	format_one(out, "tocsin_events_delivered_total", "counter",
		   "Events told to streams, once for each.", (double)live.delivered);
	format_one(out, "tocsin_outbox_events_total", "counter", "Events this node has read.",
		   (double)outbox.events);
	format_one(out, "tocsin_outbox_documents_total", "counter",
		   "Of these, events read with what streams are told: while there are streams.",
		   (double)outbox.documents);
	format_one(out, "tocsin_outbox_gaps_total", "counter",
		   "Times events were gone before this node had read them.", (double)outbox.gaps);
	format_one(out, "tocsin_outbox_looks_total", "counter",
		   "Times this node looked for events.", (double)outbox.looks);
	format_one(out, "tocsin_hints_sent_total", "counter",
		   "Hints sent to other nodes, each for all commits since the last.",
		   (double)outbox.hints_sent);
	format_one(out, "tocsin_events_removed_total", "counter",
		   "Old events, entries of the audit trail and resolved alerts that this node "
		   "removed.",
		   (double)tc_event_retention_removed(server->retention));
}

/* --- batchers --- */

static const struct {
	const char *name, *type, *help;
	size_t offset;
	bool is_counter;
	double unit;
} batcher_metrics[] = {
	{"tocsin_batcher_queued", "gauge", "Requests waiting for a batch.",
	 offsetof(struct tc_batcher_stats, queued), false, 1},
	{"tocsin_batcher_contended_keys", "gauge", "Keys held elsewhere that requests wait for.",
	 offsetof(struct tc_batcher_stats, contended_keys), false, 1},
	{"tocsin_batcher_contended_items", "gauge", "Requests that wait for such keys.",
	 offsetof(struct tc_batcher_stats, contended_items), false, 1},
	{"tocsin_batcher_batches_total", "counter", "Batches run.",
	 offsetof(struct tc_batcher_stats, batches), true, 1},
	{"tocsin_batcher_items_total", "counter", "Requests run in them.",
	 offsetof(struct tc_batcher_stats, items), true, 1},
	{"tocsin_batcher_lock_waits_total", "counter", "Requests whose key was held elsewhere.",
	 offsetof(struct tc_batcher_stats, waited), true, 1},
	{"tocsin_batcher_lock_wait_seconds_total", "counter",
	 "Time they waited, of those that are answered.",
	 offsetof(struct tc_batcher_stats, wait_us), true, MICROSECONDS},
	{"tocsin_batcher_lock_timeouts_total", "counter",
	 "Requests refused as their key was not granted in time.",
	 offsetof(struct tc_batcher_stats, timeouts), true, 1},
};

static void format_batchers(struct tc_server *server, struct tc_buffer *out)
{
	struct tc_incident_creator_stats create;
	struct tc_alert_stats alert;
	struct tc_batcher_stats deletion;

	tc_incident_creator_get_stats(server->app.creator, &create);
	tc_alert_intake_get_stats(server->app.alerts, &alert);
	tc_catalog_deleter_get_stats(server->app.deleter, &deletion);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(batcher_metrics); i++) {
		size_t offset = batcher_metrics[i].offset;
		bool is_counter = batcher_metrics[i].is_counter;
		double unit = batcher_metrics[i].unit;

		tc_metrics_head(out, batcher_metrics[i].name, batcher_metrics[i].type,
				batcher_metrics[i].help);
		tc_metrics_sample(out, batcher_metrics[i].name, "batcher=\"create\"",
				  read_value(&create.batcher, offset, is_counter, unit));
		tc_metrics_sample(out, batcher_metrics[i].name, "batcher=\"alert\"",
				  read_value(&alert.batcher, offset, is_counter, unit));
		tc_metrics_sample(out, batcher_metrics[i].name, "batcher=\"delete\"",
				  read_value(&deletion, offset, is_counter, unit));
	}
}

static void format_creates(struct tc_server *server, struct tc_buffer *out)
{
	const char *const name = "tocsin_deduped_creates_total";
	struct tc_incident_creator_stats stats;

	tc_incident_creator_get_stats(server->app.creator, &stats);
	tc_metrics_head(out, name, "counter", "Deduped creates by what became of them.");
	tc_metrics_sample(out, name, "outcome=\"created\"", (double)stats.created);
	tc_metrics_sample(out, name, "outcome=\"reused\"", (double)stats.reused);
	tc_metrics_sample(out, name, "outcome=\"refused\"", (double)stats.refused);
	tc_metrics_sample(out, name, "outcome=\"failed\"", (double)stats.failed);
}

static void format_alerts(struct tc_server *server, struct tc_buffer *out)
{
	const char *const name = "tocsin_alerts_total";
	struct tc_alert_stats stats;

	tc_alert_intake_get_stats(server->app.alerts, &stats);
	format_one(out, "tocsin_alerts_received_total", "counter", "Alerts received.",
		   (double)stats.received);
	tc_metrics_head(out, name, "counter", "Alerts by what became of them.");
	tc_metrics_sample(out, name, "outcome=\"opened\"", (double)stats.opened);
	tc_metrics_sample(out, name, "outcome=\"joined\"", (double)stats.joined);
	tc_metrics_sample(out, name, "outcome=\"repeated\"", (double)stats.repeated);
	tc_metrics_sample(out, name, "outcome=\"acknowledged\"", (double)stats.acknowledged);
	tc_metrics_sample(out, name, "outcome=\"resolved\"", (double)stats.resolved);
	tc_metrics_sample(out, name, "outcome=\"dropped\"", (double)stats.dropped);
	tc_metrics_sample(out, name, "outcome=\"failed\"", (double)stats.failed);
	format_one(out, "tocsin_alerts_incidents_resolved_total", "counter",
		   "Incidents resolved with their last firing alert.",
		   (double)stats.incidents_resolved);
}

static void format_cache(struct tc_server *server, struct tc_buffer *out)
{
	struct tc_cache_stats stats;

	tc_cache_get_stats(server->app.cache, &stats);
	format_one(out, "tocsin_cache_entries", "gauge", "Answers that are kept.",
		   (double)stats.entries);
	format_one(out, "tocsin_cache_bytes", "gauge", "Memory for them.", (double)stats.bytes);
	format_one(out, "tocsin_cache_hits_total", "counter", "Reads answered from the cache.",
		   (double)stats.hits);
	format_one(out, "tocsin_cache_loads_total", "counter",
		   "Reads that were kept, if nothing overtook them.", (double)stats.loads);
	format_one(out, "tocsin_cache_waits_total", "counter",
		   "Reads that waited for another's load.", (double)stats.waits);
	format_one(out, "tocsin_cache_bypasses_total", "counter", "Reads the cache was no use for.",
		   (double)stats.bypasses);
	format_one(out, "tocsin_cache_evicted_total", "counter", "Answers that had to make room.",
		   (double)stats.evicted);
}

void tc_status_metrics_format(struct tc_server *server, struct tc_buffer *out)
{
	format_pools(server, out);
	format_locks(server->app.locks, out);
	format_http(server->http, out);
	format_node(server, out);
	format_events(server, out);
	format_batchers(server, out);
	format_creates(server, out);
	format_alerts(server, out);
	format_cache(server, out);
}
