/* modules/event/live.c: see live.h; the model inside and the locking are in live_internal.h. */
#include "modules/event/live_internal.h"

#include "base/clock.h"
#include "base/thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Streams that no caller gets who has all others. */
#define RESERVE(streams_max) ((streams_max) / 16)
/* When one who has too many may try again. */
#define BUSY_RETRY_S 5u

void tc_event_viewer_unref(struct tc_event_viewer *viewer)
{
	if (atomic_fetch_sub(&viewer->refs, 1) > 1)
		return;
	tc_http_stream_free(viewer->stream);
	free(viewer);
}

/* --- the life of a stream --- */

/* The stream's `closed`. Those who come back at once find what they missed in memory: so the end of the
 * waiting is set before the stream no longer counts. */
static void on_closed(void *userdata)
{
	struct tc_event_viewer *viewer = userdata;
	struct tc_event_live *live = viewer->live;

	tc_mutex_lock(&live->mutex);
	viewer->is_closed = true;
	tc_event_viewer_delist(viewer);
	if (!tc_list_is_empty(&viewer->node)) {
		tc_list_remove(&viewer->node);
		live->viewers_count--;
	}
	tc_mutex_unlock(&live->mutex);
	tc_event_callers_leave(live->callers, viewer->caller);
	atomic_store(&live->linger_until_ms, tc_clock_ms() + TC_EVENT_LINGER_MS);
	atomic_fetch_sub(&live->streams, 1);
	tc_event_viewer_unref(viewer);
}

/* With two references: the connection's, and the opener's. */
static struct tc_event_viewer *viewer_new(struct tc_event_live *live, const struct tc_call *call,
					  const struct tc_event_place *place)
{
	const struct tc_caller *caller = tc_call_caller(call);
	struct tc_event_viewer *viewer = calloc(1, sizeof(*viewer));

	if (!viewer)
		return NULL;
	viewer->live = live;
	tc_event_viewer_init_job(viewer);
	tc_list_init(&viewer->node);
	tc_list_init(&viewer->known_node);
	atomic_init(&viewer->refs, 2);
	atomic_init(&viewer->turn, TC_EVENT_TURN_FREE);
	snprintf(viewer->caller_id, sizeof(viewer->caller_id), "%s", caller->id);
	snprintf(viewer->session, sizeof(viewer->session), "%s", caller->session);
	viewer->role = caller->role;
	viewer->has_place = place != NULL;
	if (place)
		viewer->place = *place;
	return viewer;
}

/* Takes the call, or leaves it to be answered. */
static int start(struct tc_event_live *live, struct tc_call *call,
		 const struct tc_event_place *place, struct tc_event_caller *caller,
		 struct tocsin_error *error)
{
	bool is_stranger = tc_call_caller(call)->is_anonymous;
	uint64_t since_us = tc_call_started_us(call);
	struct tc_event_viewer *viewer = viewer_new(live, call, place);
	const struct tc_http_stream_options options = {
		.queue_max = TC_EVENT_QUEUE_MAX,
		.life_ms = is_stranger ? TC_EVENT_STREAM_LIFE_MS : TC_EVENT_STREAM_KNOWN_LIFE_MS,
		.drained = tc_event_viewer_drained,
		.closed = on_closed,
		.userdata = viewer};
	int result;

	if (!viewer)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a stream");
	viewer->caller = caller;
	result = tc_call_stream(call, &options, &viewer->stream, error);
	if (result) {
		free(viewer);
		return result;
	}
	tc_event_viewer_enlist(viewer, since_us);
	tc_event_viewer_unref(viewer);
	return TOCSIN_OK;
}

static void refuse(struct tc_event_live *live, struct tc_call *call,
		   const struct tocsin_error *error)
{
	atomic_fetch_sub(&live->streams, 1);
	if (error->code != TOCSIN_E_FULL) {
		tc_call_reply_error(call, error);
		return;
	}
	atomic_fetch_add(&live->refused, 1);
	tc_call_set_retry_after(call, BUSY_RETRY_S);
	tc_call_reply_problem_text(call, 429, "%s", error->message);
}

void tc_event_live_open(struct tc_event_live *live, struct tc_call *call, const char *text,
			const char *client)
{
	const struct tc_caller *who = tc_call_caller(call);
	struct tc_event_caller *caller = NULL;
	struct tocsin_error error = {0};
	struct tc_event_place place;
	int result;

	if (text && !tc_event_place_parse(text, &place)) {
		tc_call_reply_problem_text(call, 400, "This is no id of an event of ours");
		return;
	}
	/* Before it gets a place from the ring: live_outbox.c. */
	if (atomic_fetch_add(&live->streams, 1) >= live->options.streams_max) {
		atomic_fetch_sub(&live->streams, 1);
		tc_call_reply_problem_text(call, 503, "Too many streams are open; try again");
		return;
	}
	result = tc_event_callers_enter(live->callers, who->is_anonymous ? client : who->id,
					&caller, &error);
	if (result == TOCSIN_OK)
		result = start(live, call, text ? &place : NULL, caller, &error);
	if (result == TOCSIN_OK)
		return;
	if (caller)
		tc_event_callers_leave(live->callers, caller);
	refuse(live, call, &error);
}

/* --- all of them --- */

int tc_event_live_new(struct tc_event_live **ret_live, const struct tc_event_live_options *options,
		      struct tocsin_error *error)
{
	struct tc_event_live *live = calloc(1, sizeof(*live));
	struct tc_event_position position = tc_outbox_position(options->outbox);
	unsigned most = TC_MAX(options->streams_max - RESERVE(options->streams_max), 1u);
	int result;

	if (!live)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for streams");
	live->options = *options;
	tc_mutex_init(&live->mutex);
	tc_list_init(&live->viewers);
	tc_event_live_init_access(live);
	tc_event_ring_init(&live->ring, &position);
	atomic_init(&live->linger_until_ms, tc_clock_ms() + TC_EVENT_LINGER_MS);
	result = tc_event_callers_new(&live->callers, TC_MIN(options->caller_streams_max, most),
				      error);
	if (result == TOCSIN_OK)
		result = tc_event_live_listen(live, error);
	if (result) {
		tc_event_live_free(live);
		return result;
	}
	*ret_live = live;
	return TOCSIN_OK;
}

struct tc_event_live *tc_event_live_free(struct tc_event_live *live)
{
	if (!live)
		return NULL;
	tc_event_callers_free(live->callers);
	tc_event_ring_deinit(&live->ring);
	pthread_mutex_destroy(&live->mutex);
	free(live->told);
	free(live);
	return NULL;
}

void tc_event_live_get_stats(struct tc_event_live *live, struct tc_event_live_stats *ret_stats)
{
	*ret_stats = (struct tc_event_live_stats){
		.streams = atomic_load(&live->streams),
		.delivered = atomic_load(&live->delivered),
		.resumed = atomic_load(&live->resumed),
		.gaps = atomic_load(&live->gaps),
		.refused = atomic_load(&live->refused),
	};
}
