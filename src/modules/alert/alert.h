/* modules/alert/alert.h: alerts in, incidents out.
 *
 * Model. An alert is a row (source, dedup key) with its state. A firing report of an alert that is new, was
 * resolved, or whose incident is no longer open, opens or joins the one open incident of its system (the
 * oldest open). A repeated one counts. When the last firing alert of an incident that alerts opened resolves,
 * the incident resolves, in the same transaction. A resolved report of an unknown alert is dropped. The first
 * acknowledgement of a firing alert of an incident adds an update; others, and those of alerts that do not fire, are
 * dropped.
 *
 * A row goes with its incident (a foreign key), and TOCSIN_ALERT_RETENTION after it was reported resolved (a
 * rule of core/outbox/event_retention.h): an alert that fires then is a new one.
 *
 * Reports of all requests are batched (core/work/batcher.h) under the same lock keys as deduped creates, so
 * one system never gets two open incidents, from whatever side they come. */
#pragma once

#include "base/macro.h"
#include "core/procedure/procedure.h"
#include "core/work/batcher.h"
#include <tocsin/pool.h>

struct tc_alert_intake;
struct tc_alert_request; /* the alerts of one payload (alert_request.h) */

struct tc_alert_intake_options {
	struct tocsin_pool *lock_pool; /* borrowed; must outlive the intake */
	const char *
		system_labels; /* "system,service,job,instance": the first that is set names the system; copied */
	bool auto_resolve; /* resolve an incident that alerts opened with its last firing alert */
	bool reject_unknown_systems; /* refuse (422) alerts of systems the catalog does not know */
	unsigned workers;            /* batches under way at once; 0: 2 */
	/* Lock connections that wait for contended systems; 0: none, workers try those again. */
	unsigned waiters_max;
	unsigned
		wait_timeout_ms; /* an alert waits for its contended system at most this long; > 0 */
};

struct tc_alert_stats {
	struct tc_batcher_stats batcher;
	uint64_t received, opened, joined, repeated, acknowledged, resolved, dropped,
		failed; /* alerts, since the start */
	uint64_t incidents_resolved;
};

/* On success the caller owns *ret_intake. INVALID for a bad list of labels. Does not block. */
int tc_alert_intake_new(struct tc_alert_intake **ret_intake,
			const struct tc_alert_intake_options *options, struct tocsin_error *error);
/* Finishes what is queued, then frees. Blocks. NULL allowed, returns NULL. */
struct tc_alert_intake *tc_alert_intake_free(struct tc_alert_intake *intake);
TC_DEFINE_CLEANUP(struct tc_alert_intake *, tc_alert_intake_free);
void tc_alert_intake_get_stats(struct tc_alert_intake *intake, struct tc_alert_stats *ret_stats);

/* Procedures ingestAlertmanager and ingestPagerDuty (pagerduty_api.c), and those of sources (source_api.c); each
 * ends with a row whose name is NULL. */
extern const struct tc_procedure tc_alert_procedures[];
extern const struct tc_procedure tc_pagerduty_procedures[];
extern const struct tc_procedure tc_source_procedures[];
