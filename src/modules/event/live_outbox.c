/* modules/event/live_outbox.c: what this node's outbox tells the streams; all on the outbox's thread. The model
 * and the locking are in live_internal.h.
 *
 * Documents are made only while a stream is open, or has been a moment ago. Without them the ring cannot grow:
 * it begins anew behind what was passed over, and who comes back to before that reads it from the database. A
 * stream counts as open before it gets a place from the ring, and a brief page is passed over under the mutex: so
 * a stream that is there is seen, and the page is read again with documents; one that comes later gets a place
 * behind the page. */
#include "modules/event/live_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include <stdlib.h>

/* Room for all viewers, beforehand: there is none to be had in the middle. */
static bool reserve_told(struct tc_event_live *live)
{
	struct tc_event_viewer **told;
	unsigned max;

	if (live->viewers_count <= live->told_max)
		return true;
	max = TC_MAX(live->viewers_count, live->told_max * 2);
	told = realloc(live->told, max * sizeof(struct tc_event_viewer *));
	if (!told)
		return false;
	live->told = told;
	live->told_max = max;
	return true;
}

/* Adds to the ring; whom to tell, with a reference each, is in `told`: how many. */
static unsigned take_over(struct tc_event_live *live, struct tc_list *batches, bool is_whole,
			  const struct tc_event_position *end)
{
	TC_LOCKED(&live->mutex);
	unsigned count = 0;

	if (!is_whole || !reserve_told(live)) {
		tc_log_error("events.memory", "out of memory: all streams end, and may come back");
		tc_event_ring_restart(&live->ring, end);
		tc_list_each (node, &live->viewers)
			tc_http_stream_end(
				tc_list_entry(node, struct tc_event_viewer, node)->stream);
		return 0;
	}
	tc_event_ring_append(&live->ring, batches, end);
	tc_list_each (node, &live->viewers) {
		live->told[count] = tc_list_entry(node, struct tc_event_viewer, node);
		atomic_fetch_add(&live->told[count++]->refs, 1);
	}
	return count;
}

/* Its place is behind the batch only where another node told it more than we had. A push that fails has ended
 * the stream already. */
void tc_event_viewer_tell(struct tc_event_viewer *viewer, const struct tc_event_batch *batch)
{
	size_t offset = 0;

	if (tc_event_place_compare(&viewer->place, &batch->marks[0].place) >= 0)
		offset = tc_event_batch_find(batch, &viewer->place);
	if (offset < tc_http_chunk_length(batch->chunk))
		tc_http_stream_push(viewer->stream, batch->chunk, offset);
}

static void on_events(const struct tc_event *events, unsigned count, void *userdata)
{
	static const struct tc_event_place start = {0};
	struct tc_event_live *live = userdata;
	unsigned viewers_count;
	uint64_t marks_count = 0;
	struct tc_list batches, *first;
	bool is_whole;

	if (events[0].is_brief)
		return; /* passed over */
	tc_list_init(&batches);
	is_whole = tc_event_batches_make(events, count, &start, &batches);
	first = tc_list_is_empty(&batches) ? &live->ring.batches : batches.next;
	viewers_count = take_over(live, &batches, is_whole, &events[count - 1].position);
	for (unsigned i = 0; i < viewers_count; i++) {
		for (struct tc_list *node = first; node != &live->ring.batches; node = node->next) {
			const struct tc_event_batch *batch =
				tc_list_entry(node, struct tc_event_batch, node);

			tc_event_viewer_tell(live->told[i], batch);
			marks_count += batch->count;
		}
		tc_event_viewer_unref(live->told[i]);
	}
	tc_mutex_lock(&live->mutex);
	tc_event_ring_trim(&live->ring);
	tc_mutex_unlock(&live->mutex);
	tc_event_batches_free(&batches); /* if they were not taken over */
	atomic_fetch_add(&live->delivered, marks_count);
}

/* A tc_outbox_wants_fn. */
static bool wants_documents(const struct tc_event_position *passing, void *userdata)
{
	struct tc_event_live *live = userdata;
	TC_LOCKED(&live->mutex);

	if (atomic_load(&live->streams) > 0 || tc_clock_ms() < atomic_load(&live->linger_until_ms))
		return true;
	if (passing)
		tc_event_ring_restart(&live->ring, passing);
	return false;
}

/* Streams that catch up find out by themselves. One whose place another node gave it may be ahead of the gap;
 * unless the database lost what it had: then nobody knows what he has. Rare: so the mutex is held. */
static void on_gap(const struct tc_event_position *position, void *userdata)
{
	const struct tc_event_place place = {.position = *position};
	TC_CLEANUP(tc_http_chunk_unref)
	struct tc_http_chunk *text = tc_event_greeting_new(&place, "events.gap");
	struct tc_event_live *live = userdata;
	TC_LOCKED(&live->mutex);
	bool is_back = tc_event_place_compare(&place, &live->ring.end) < 0;

	tc_event_ring_restart(&live->ring, position);
	tc_list_each (node, &live->viewers) {
		struct tc_event_viewer *viewer = tc_list_entry(node, struct tc_event_viewer, node);

		if (!is_back && tc_event_place_compare(&viewer->place, &place) >= 0)
			continue;
		viewer->place = place;
		atomic_fetch_add(&live->gaps, 1);
		if (text)
			tc_http_stream_push(viewer->stream, text, 0);
		else
			tc_http_stream_end(viewer->stream);
	}
}

int tc_event_live_listen(struct tc_event_live *live, struct tocsin_error *error)
{
	const struct tc_outbox_subscriber subscriber = {
		.tell = on_events, .gap = on_gap, .userdata = live};
	struct tc_outbox *outbox = live->options.outbox;
	int result = tc_outbox_subscribe(outbox, TC_OUTBOX_LISTENERS, &subscriber, error);

	if (result == TOCSIN_OK)
		tc_outbox_set_wants(outbox, wants_documents, live);
	return result;
}
