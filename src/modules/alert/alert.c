/* The intake: alerts of all requests, batched. The model is in alert.h.
 *
 * Payloads are answered when their last alert is finished; the batcher's threads count them down
 * (alert_request.h). Nothing here is shared but counters, which are atomic. */
#include "modules/alert/alert.h"

#include "modules/alert/alert_intake.h"
#include <assert.h>
#include <stdlib.h>

#define QUEUE_MAX       20000u /* alerts waiting; four of the largest payloads */
#define BATCH_MAX       256u
#define WORKERS_DEFAULT 2u

static int run(struct tocsin_connection *connection, struct tc_item **items, unsigned count,
	       const char *wait_key, void *userdata, struct tocsin_error *error)
{
	struct tc_alert_intake *intake = userdata;
	unsigned incidents_resolved = 0;
	int result = tc_alert_batch_run(&intake->policy, connection, items, count, wait_key,
					&incidents_resolved, error);

	if (!result)
		atomic_fetch_add(&intake->incidents_resolved, incidents_resolved);
	return result;
}

/* One of the request's counts is over; the last one answers. */
static void count_down(struct tc_alert_request *request)
{
	if (atomic_fetch_sub(&request->pending, 1) > 1)
		return;
	request->answer(request);
	tc_alert_request_free(request);
}

static void finish(struct tc_item *item, void *userdata)
{
	struct tc_alert *alert = tc_container_of(item, struct tc_alert, item);
	struct tc_alert_intake *intake = userdata;

	if (item->state == TC_ITEM_FAILED)
		alert->outcome = TC_ALERT_FAILED;
	atomic_fetch_add(&intake->outcomes[alert->outcome], 1);
	count_down(alert->request);
}

int tc_alert_intake_new(struct tc_alert_intake **ret_intake,
			const struct tc_alert_intake_options *options, struct tocsin_error *error)
{
	TC_CLEANUP(tc_alert_intake_free)
	struct tc_alert_intake *intake = calloc(1, sizeof(*intake));
	struct tc_batcher_options batcher = {
		.name = "alert",
		.lock_pool = options->lock_pool,
		.workers = options->workers ? options->workers : WORKERS_DEFAULT,
		.waiters_max = options->waiters_max,
		.queue_max = QUEUE_MAX,
		.batch_max = BATCH_MAX,
		.wait_timeout_ms = options->wait_timeout_ms,
		.run = run,
		.finish = finish,
		.userdata = intake,
	};
	int result;

	if (!intake)
		return tocsin_error_set(error, TOCSIN_E_NOMEM,
					"out of memory for the intake of alerts");
	intake->policy.auto_resolve = options->auto_resolve;
	intake->policy.reject_unknown_systems = options->reject_unknown_systems;
	intake->policy.wait_timeout_ms = options->wait_timeout_ms;
	result = tc_alert_labels_init(&intake->labels, options->system_labels, error);
	if (!result)
		result = tc_batcher_new(&intake->batcher, &batcher, error);
	if (result)
		return result;
	*ret_intake = tc_take(intake);
	return TOCSIN_OK;
}

struct tc_alert_intake *tc_alert_intake_free(struct tc_alert_intake *intake)
{
	if (intake) {
		tc_batcher_free(intake->batcher);
		tc_alert_labels_deinit(&intake->labels);
		free(intake);
	}
	return NULL;
}

void tc_alert_intake_get_stats(struct tc_alert_intake *intake, struct tc_alert_stats *ret_stats)
{
	uint64_t outcomes[TC_ALERT_OUTCOME_COUNT], received = 0;

	for (unsigned i = 0; i < TC_ALERT_OUTCOME_COUNT; i++)
		received += outcomes[i] = atomic_load(&intake->outcomes[i]);
	*ret_stats = (struct tc_alert_stats){
		.received = received,
		.opened = outcomes[TC_ALERT_OPENED],
		.joined = outcomes[TC_ALERT_JOINED],
		.repeated = outcomes[TC_ALERT_REPEATED],
		.acknowledged = outcomes[TC_ALERT_ACKNOWLEDGED],
		.resolved = outcomes[TC_ALERT_RESOLVED],
		.dropped = outcomes[TC_ALERT_DROPPED],
		.failed = outcomes[TC_ALERT_FAILED] + outcomes[TC_ALERT_REFUSED],
		.incidents_resolved = atomic_load(&intake->incidents_resolved),
	};
	tc_batcher_get_stats(intake->batcher, &ret_stats->batcher);
}

void tc_alert_intake_submit(struct tc_alert_intake *intake, struct tc_alert_request *request)
{
	unsigned count = request->count, submitted = 0;
	int result = TOCSIN_OK;

	assert(request->answer);
	atomic_store(&request->pending, count + 1);
	for (; submitted < count; submitted++) {
		result = tc_batcher_submit(intake->batcher, &request->alerts[submitted].item);
		if (result)
			break;
	}
	/* What was not taken is ours to finish. The request lives until our own count is taken away. */
	for (unsigned i = submitted; i < count; i++) {
		struct tc_item *item = &request->alerts[i].item;

		item->state = TC_ITEM_FAILED;
		tocsin_error_set(&item->error, result, "%s",
				 result == TOCSIN_E_FULL ? "the queue of alerts is full"
							 : "the server is shutting down");
		finish(item, intake);
	}
	count_down(request);
}
