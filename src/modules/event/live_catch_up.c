/* modules/event/live_catch_up.c: a stream's way from its place to being live. The model and the locking are in
 * live_internal.h. */
#include "modules/event/live_internal.h"

#include "base/log.h"
#include "base/thread.h"
#include <stdlib.h>

/* Bytes of a page that go into the queue before the connection has taken any. An event of many systems is long: a page
 * of those would overflow it, and does no better when the client comes back. */
#define PUSH_MAX (TC_EVENT_QUEUE_MAX / 2)

struct tc_http_chunk *tc_event_greeting_new(const struct tc_event_place *place, const char *event)
{
	char id[TC_EVENT_PLACE_SIZE];
	TC_BUFFER text = {0};

	tc_event_place_format(place, id);
	tc_buffer_append_format(&text, TC_EVENT_RETRY_TEXT "id: %s\n", id);
	if (event)
		tc_buffer_append_format(&text, "event: %s\ndata: {}\n", event);
	tc_buffer_append_text(&text, "\n");
	return text.failed ? NULL : tc_http_chunk_new(text.data, text.length);
}

/* Who leaves before the first event knows from this where to go on: clients remember an id without data,
 * and tell nobody. */
static void greet(struct tc_event_viewer *viewer, const char *event)
{
	TC_CLEANUP(tc_http_chunk_unref) struct tc_http_chunk *text = NULL;

	if (viewer->is_greeted && !event)
		return;
	viewer->is_greeted = true;
	text = tc_event_greeting_new(&viewer->place, event);
	if (text)
		tc_http_stream_push(viewer->stream, text, 0);
	else
		tc_http_stream_end(viewer->stream);
}

/* --- going live; whoever has the turn --- */

/* Gives what the ring holds after the viewer's place, and makes it live. False: the ring does not hold
 * everything after it; or it was not told us and is perhaps of another history, and the database has not said that it is
 * not. */
static bool go_live(struct tc_event_viewer *viewer)
{
	struct tc_event_live *live = viewer->live;
	TC_LOCKED(&live->mutex);

	if (viewer->is_closed)
		return true; /* nobody is there to be told anything */
	if (!viewer->has_place)
		viewer->place = live->ring.end;
	viewer->has_place = true;
	if (tc_event_place_compare(&viewer->place, &live->ring.start) < 0 ||
	    (!viewer->is_checked && !tc_event_ring_knows(&live->ring, &viewer->place)))
		return false;
	greet(viewer, NULL);
	tc_list_each (node, &live->ring.batches)
		tc_event_viewer_tell(viewer, tc_list_entry(node, struct tc_event_batch, node));
	tc_list_push_back(&live->viewers, &viewer->node);
	live->viewers_count++;
	return true;
}

/* --- catching up, on the work executor --- */

static struct tc_event_place ring_start(struct tc_event_live *live)
{
	TC_LOCKED(&live->mutex);

	return live->ring.start;
}

/* The client is told, and goes on with what there is; a place that is not behind what was removed is of another
 * database, or of what this one lost, of which nothing is known. */
static void pass_gap(struct tc_event_viewer *viewer, const struct tc_event_position *removed)
{
	const struct tc_event_place place = {.position = *removed};
	struct tc_event_live *live = viewer->live;

	tc_mutex_lock(&live->mutex);
	if (tc_event_place_compare(&viewer->place, &place) < 0)
		viewer->place = place;
	else
		viewer->place = live->ring.end;
	tc_mutex_unlock(&live->mutex);
	atomic_fetch_add(&live->gaps, 1);
	greet(viewer, "events.gap");
}

/* Batches up to PUSH_MAX, and the viewer's place behind them. The first fits whatever its size. */
static void push_some(struct tc_event_viewer *viewer, const struct tc_list *batches,
		      const struct tc_event_position *end)
{
	size_t size = 0;

	tc_list_each (node, batches) {
		const struct tc_event_batch *batch =
			tc_list_entry(node, struct tc_event_batch, node);
		size_t length = tc_http_chunk_length(batch->chunk);

		if (size > 0 && size + length > PUSH_MAX)
			return;
		tc_http_stream_push(viewer->stream, batch->chunk, 0);
		viewer->place = batch->marks[batch->count - 1].place;
		size += length;
	}
	viewer->place = (struct tc_event_place){*end, 0};
}

/* True if anything was pushed. What of the page was not is read again. */
static bool push_page(struct tc_event_viewer *viewer, const struct tc_events *page)
{
	struct tc_list batches;
	bool has_pushed;

	tc_list_init(&batches);
	greet(viewer, NULL);
	if (!tc_event_batches_make(page->events, page->count, &viewer->place, &batches)) {
		tc_event_batches_free(&batches);
		tc_http_stream_end(viewer->stream);
		return true;
	}
	has_pushed = !tc_list_is_empty(&batches);
	push_some(viewer, &batches, &page->events[page->count - 1].position);
	tc_event_batches_free(&batches);
	return has_pushed;
}

/* A page further, or live. The second part of an event comes with the event, once more. Where there is no event,
 * nothing is left between the place and where the ring began before the page was read. */
static int read_page(struct tc_event_viewer *viewer, struct tocsin_connection *connection,
		     struct tc_events *page, bool *ret_has_pushed, struct tocsin_error *error)
{
	struct tc_event_place start = ring_start(viewer->live);
	const struct tc_event_look wanted = {.after = viewer->place.position,
					     .is_again = viewer->place.part > 0};
	struct tc_event_outlook outlook;
	int result;

	viewer->is_checked = false;
	result = tc_events_look(connection, &wanted, page, &outlook, error);
	if (result)
		return result;
	viewer->is_checked = outlook.is_known;
	if (!outlook.is_known)
		pass_gap(viewer, &outlook.removed);
	else if (page->count > 0)
		*ret_has_pushed = push_page(viewer, page);
	else if (tc_event_place_compare(&viewer->place, &start) < 0)
		viewer->place = start;
	tc_events_deinit(page);
	return TOCSIN_OK;
}

static int catch_up(struct tc_event_viewer *viewer, bool *ret_is_live, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	struct tc_events *page = calloc(1, sizeof(*page));
	bool has_pushed = false;
	int result;

	if (!page)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for events");
	result = tocsin_pool_acquire(viewer->live->options.pool, &connection, error);
	while (result == TOCSIN_OK && !has_pushed && !*ret_is_live) {
		*ret_is_live = go_live(viewer);
		if (!*ret_is_live)
			result = read_page(viewer, connection, page, &has_pushed, error);
	}
	free(page);
	return result;
}

static void run_job(struct tc_job *job)
{
	struct tc_event_viewer *viewer = tc_container_of(job, struct tc_event_viewer, job);
	enum tc_event_turn expected;
	bool is_live = false;

	do {
		struct tocsin_error error;

		atomic_store(&viewer->turn, TC_EVENT_TURN_TAKEN);
		if (catch_up(viewer, &is_live, &error)) {
			tc_log_debug("events.resume", "a stream ends: %s", error.message);
			tc_http_stream_end(viewer->stream);
		}
		expected = TC_EVENT_TURN_TAKEN;
	} while (!is_live &&
		 !atomic_compare_exchange_strong(&viewer->turn, &expected, TC_EVENT_TURN_FREE));
	tc_event_viewer_unref(viewer);
}

/* The client comes back, as it would to a server that is too busy to answer. */
static void expire_job(struct tc_job *job)
{
	struct tc_event_viewer *viewer = tc_container_of(job, struct tc_event_viewer, job);

	tc_http_stream_end(viewer->stream);
	tc_event_viewer_unref(viewer);
}

void tc_event_viewer_init_job(struct tc_event_viewer *viewer)
{
	viewer->job = (struct tc_job){.run = run_job, .expire = expire_job};
	tc_list_init(&viewer->job.node);
}

void tc_event_viewer_drained(void *userdata)
{
	struct tc_event_viewer *viewer = userdata;

	if (atomic_exchange(&viewer->turn, TC_EVENT_TURN_AGAIN) != TC_EVENT_TURN_FREE)
		return;
	atomic_store(&viewer->turn, TC_EVENT_TURN_TAKEN);
	if (go_live(viewer))
		return;
	if (!viewer->is_greeted)
		atomic_fetch_add(&viewer->live->resumed, 1);
	atomic_fetch_add(&viewer->refs, 1);
	if (tc_executor_submit(viewer->live->options.work, &viewer->job) != TOCSIN_OK)
		expire_job(&viewer->job);
}
