/* modules/incident/creator.h: deduped creates, batched (core/work/batcher.h): of all requests for one key
 * system, on all nodes, exactly one opens an incident while none is open; the others get that one.
 *
 * The lock key of a system is TC_INCIDENT_DEDUPE_KEY_PREFIX and its id, shared with the reference's nodes
 * and with alerts. Whoever opens incidents under such keys holds them in the same transaction. */
#pragma once

#include "base/macro.h"
#include "core/work/batcher.h"
#include <stdbool.h>

#define TC_INCIDENT_DEDUPE_KEY_PREFIX "incident.dedupe-open-for-system:"

struct tc_call;
struct tc_incident_creator;

struct tc_incident_creator_options {
	struct tocsin_pool *lock_pool; /* borrowed; must outlive the creator */
	bool reject_unknown_systems;
	unsigned
		wait_timeout_ms; /* a create waits for its contended system at most this long; > 0 */
	unsigned workers;        /* batches under way at once; 0: TC_INCIDENT_CREATOR_WORKERS */
	/* Lock connections that wait for contended systems; 0: none, workers try those again. */
	unsigned waiters_max;
};

#define TC_INCIDENT_CREATOR_WORKERS   2u
#define TC_INCIDENT_CREATOR_BATCH_MAX 128u
#define TC_INCIDENT_CREATOR_QUEUE_MAX 10000u

struct tc_incident_creator_stats {
	struct tc_batcher_stats batcher;
	uint64_t created, reused, refused, failed; /* since the start */
};

/* On success the caller owns *ret_creator. Starts threads; does not block. */
int tc_incident_creator_new(struct tc_incident_creator **ret_creator,
			    const struct tc_incident_creator_options *options,
			    struct tocsin_error *error);
/* Finishes what is queued, then frees. Blocks. NULL allowed, returns NULL. */
struct tc_incident_creator *tc_incident_creator_free(struct tc_incident_creator *creator);
TC_DEFINE_CLEANUP(struct tc_incident_creator *, tc_incident_creator_free);

/* Takes a call of createIncident with dedupeOpenForSystem and answers it: 201 {"incident", "reused": false},
 * 200 {..., "reused": true}, 409 (the system's lock was not granted in time), 422 (unknown systems),
 * 503 (queue full, no connection in time, database away). From any thread; does not block. */
void tc_incident_creator_submit(struct tc_incident_creator *creator, struct tc_call *call);

void tc_incident_creator_get_stats(struct tc_incident_creator *creator,
				   struct tc_incident_creator_stats *ret_stats);
