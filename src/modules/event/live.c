/* modules/event/live.c: see live.h.
 *
 * A viewer is one stream. It is owned by its connection, until that is closed, by the job that reads for
 * it, and by the outbox's thread while it pushes; each has a reference.
 *
 * A viewer that catches up does one thing at a time: `turn` says whether somebody is at it. A drain takes
 * the turn, and goes live or has a job read the next page; a drain while the turn is taken asks for one
 * more page. A viewer that is live is in `viewers`, and keeps the turn for ever.
 *
 * Locking: `mutex` guards the ring and the list of viewers. Only the outbox's thread changes the ring, so it
 * reads it without; it pushes without the mutex, too, to a copy of the list: HTTP threads must not wait
 * for thousands of pushes. */
#include "modules/event/live.h"

#include "base/log.h"
#include "base/thread.h"
#include "modules/event/ring.h"
#include "sql_app.h"
#include <stdatomic.h>
#include <stdlib.h>

#define QUEUE_MAX ((size_t)4 * 1024 * 1024) /* bytes a stream; the ring fits twice */
/* How long a client waits before it comes back. */
#define RETRY_TEXT "retry: 1000\n"

struct tc_event_live {
	struct tc_event_live_options options;
	pthread_mutex_t mutex;
	struct tc_event_ring ring;
	struct tc_list viewers;
	unsigned viewers_count;
	struct viewer **told; /* the outbox's thread's: whom it is pushing to */
	unsigned told_max;
	atomic_uint streams;
	_Atomic uint64_t delivered, resumed, gaps;
};

enum turn { TURN_FREE, TURN_TAKEN, TURN_AGAIN };

struct viewer {
	struct tc_list node; /* in viewers, while live */
	struct tc_job job;
	struct tc_event_live *live;
	struct tc_http_stream *stream;
	atomic_uint refs;
	_Atomic(enum turn) turn;
	bool is_closed; /* mutex */
	/* Of whoever has the turn; constant once live. */
	bool has_place;  /* false: begins now */
	bool is_greeted; /* it was told where it is */
	bool is_checked; /* the database knows its place */
	struct tc_event_place place;
};

TC_DEFINE_CLEANUP(struct tocsin_connection *, tocsin_pool_release);

static void viewer_unref(struct viewer *viewer)
{
	if (atomic_fetch_sub(&viewer->refs, 1) > 1)
		return;
	tc_http_stream_free(viewer->stream);
	free(viewer);
}

static void push_text(struct viewer *viewer, const struct tc_buffer *text)
{
	TC_CLEANUP(tc_http_chunk_unref) struct tc_http_chunk *chunk = NULL;

	if (!text->failed)
		chunk = tc_http_chunk_new(text->data, text->length);
	if (chunk)
		tc_http_stream_push(viewer->stream, chunk, 0);
	else
		tc_http_stream_end(viewer->stream);
}

/* Who leaves before the first event knows from this where to go on: clients remember an id without data,
 * and tell nobody. */
static void greet(struct viewer *viewer, const char *event)
{
	char id[TC_EVENT_PLACE_SIZE];
	TC_BUFFER text = {0};

	if (viewer->is_greeted && !event)
		return;
	viewer->is_greeted = true;
	tc_event_place_format(&viewer->place, id);
	tc_buffer_append_format(&text, RETRY_TEXT "id: %s\n", id);
	if (event)
		tc_buffer_append_format(&text, "event: %s\ndata: {}\n", event);
	tc_buffer_append_text(&text, "\n");
	push_text(viewer, &text);
}

/* --- the outbox's thread --- */

/* Room for all viewers, beforehand: there is none to be had in the middle. */
static bool reserve_told(struct tc_event_live *live)
{
	struct viewer **told;
	unsigned max;

	if (live->viewers_count <= live->told_max)
		return true;
	max = TC_MAX(live->viewers_count, live->told_max * 2);
	told = realloc(live->told, max * sizeof(struct viewer *));
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
			tc_http_stream_end(tc_list_entry(node, struct viewer, node)->stream);
		return 0;
	}
	tc_event_ring_append(&live->ring, batches, end);
	tc_list_each (node, &live->viewers) {
		live->told[count] = tc_list_entry(node, struct viewer, node);
		atomic_fetch_add(&live->told[count++]->refs, 1);
	}
	return count;
}

/* Its place is behind the batch only where another node told it more than we had. A push that fails has ended
 * the stream already. */
static void tell(struct viewer *viewer, const struct tc_event_batch *batch)
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

	tc_list_init(&batches);
	is_whole = tc_event_batches_make(events, count, &start, &batches);
	first = tc_list_is_empty(&batches) ? &live->ring.batches : batches.next;
	viewers_count = take_over(live, &batches, is_whole, &events[count - 1].position);
	for (unsigned i = 0; i < viewers_count; i++) {
		for (struct tc_list *node = first; node != &live->ring.batches; node = node->next) {
			const struct tc_event_batch *batch =
				tc_list_entry(node, struct tc_event_batch, node);

			tell(live->told[i], batch);
			marks_count += batch->count;
		}
		viewer_unref(live->told[i]);
	}
	tc_mutex_lock(&live->mutex);
	tc_event_ring_trim(&live->ring);
	tc_mutex_unlock(&live->mutex);
	tc_event_batches_free(&batches); /* if they were not taken over */
	atomic_fetch_add(&live->delivered, marks_count);
}

/* --- going live; whoever has the turn --- */

/* Gives what the ring holds after the viewer's place, and makes it live. False: the ring does not hold
 * everything after it, or it is ahead of us, and the database has not said that it can be. */
static bool go_live(struct viewer *viewer)
{
	struct tc_event_live *live = viewer->live;
	TC_LOCKED(&live->mutex);

	if (viewer->is_closed)
		return true; /* nobody is there to be told anything */
	if (!viewer->has_place)
		viewer->place = live->ring.end;
	viewer->has_place = true;
	if (tc_event_place_compare(&viewer->place, &live->ring.start) < 0 ||
	    (!viewer->is_checked && tc_event_place_compare(&viewer->place, &live->ring.end) > 0))
		return false;
	greet(viewer, NULL);
	tc_list_each (node, &live->ring.batches)
		tell(viewer, tc_list_entry(node, struct tc_event_batch, node));
	tc_list_push_back(&live->viewers, &viewer->node);
	live->viewers_count++;
	return true;
}

/* --- catching up, on the work executor --- */

/* Whether everything after the place was there when a page was read before. If not, the client is told,
 * and goes on with what there is; a place of the future is of another database, of which nothing is known. */
static int check_place(struct viewer *viewer, struct tocsin_connection *connection,
		       const struct tc_event_position *after, struct tocsin_error *error)
{
	char transaction[TC_EVENT_NUMBER_SIZE], sequence[TC_EVENT_NUMBER_SIZE];
	const char *const values[] = {transaction, sequence};
	struct tc_event_live *live = viewer->live;
	struct tc_event_place removed = {0};
	TC_RESULT *rows = NULL;
	int result;

	tc_event_position_format(after, transaction, sequence);
	viewer->is_checked = false;
	result = tc_query(connection, &tc_sql_core_events_resume, values, &rows, error);
	if (result)
		return result;
	viewer->is_checked = tc_result_is_true(rows, 0, 0);
	if (viewer->is_checked)
		return TOCSIN_OK;
	removed.position = tc_event_position_get(rows, 0, 1);
	tc_mutex_lock(&live->mutex);
	if (tc_event_place_compare(&viewer->place, &removed) < 0)
		viewer->place = removed;
	else
		viewer->place = live->ring.end;
	tc_mutex_unlock(&live->mutex);
	atomic_fetch_add(&live->gaps, 1);
	greet(viewer, "events.gap");
	return TOCSIN_OK;
}

/* Nothing is left between the place and the ring. */
static void skip_to_ring(struct viewer *viewer)
{
	struct tc_event_live *live = viewer->live;
	TC_LOCKED(&live->mutex);

	if (tc_event_place_compare(&viewer->place, &live->ring.start) < 0)
		viewer->place = live->ring.start;
}

/* True if anything was pushed. */
static bool push_page(struct viewer *viewer, const struct tc_events *page)
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
	viewer->place = (struct tc_event_place){page->events[page->count - 1].position, 0};
	has_pushed = !tc_list_is_empty(&batches);
	tc_list_each (node, &batches)
		tc_http_stream_push(viewer->stream,
				    tc_list_entry(node, struct tc_event_batch, node)->chunk, 0);
	tc_event_batches_free(&batches);
	return has_pushed;
}

/* A page further, or live. The second part of an event comes with the event: the page begins one before. */
static int read_page(struct viewer *viewer, struct tocsin_connection *connection,
		     struct tc_events *page, bool *ret_has_pushed, struct tocsin_error *error)
{
	struct tc_event_position after = viewer->place.position;
	int result;

	if (viewer->place.part > 0 && after.sequence > 0)
		after.sequence--;
	result = tc_events_fetch(connection, &after, TC_EVENTS_MAX, page, error);
	if (result)
		return result;
	result = check_place(viewer, connection, &after, error);
	if (result == TOCSIN_OK && viewer->is_checked) {
		if (page->count > 0)
			*ret_has_pushed = push_page(viewer, page);
		else
			skip_to_ring(viewer);
	}
	tc_events_deinit(page);
	return result;
}

static int catch_up(struct viewer *viewer, bool *ret_is_live, struct tocsin_error *error)
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
	struct viewer *viewer = tc_container_of(job, struct viewer, job);
	enum turn expected;
	bool is_live = false;

	do {
		struct tocsin_error error;

		atomic_store(&viewer->turn, TURN_TAKEN);
		if (catch_up(viewer, &is_live, &error)) {
			tc_log_debug("events.resume", "a stream ends: %s", error.message);
			tc_http_stream_end(viewer->stream);
		}
		expected = TURN_TAKEN;
	} while (!is_live && !atomic_compare_exchange_strong(&viewer->turn, &expected, TURN_FREE));
	viewer_unref(viewer);
}

/* The client comes back, as it would to a server that is too busy to answer. */
static void expire_job(struct tc_job *job)
{
	struct viewer *viewer = tc_container_of(job, struct viewer, job);

	tc_http_stream_end(viewer->stream);
	viewer_unref(viewer);
}

/* --- what the stream calls --- */

static void on_drained(void *userdata)
{
	struct viewer *viewer = userdata;

	if (atomic_exchange(&viewer->turn, TURN_AGAIN) != TURN_FREE)
		return;
	atomic_store(&viewer->turn, TURN_TAKEN);
	if (go_live(viewer))
		return;
	if (!viewer->is_greeted)
		atomic_fetch_add(&viewer->live->resumed, 1);
	atomic_fetch_add(&viewer->refs, 1);
	if (tc_executor_submit(viewer->live->options.work, &viewer->job) != TOCSIN_OK)
		expire_job(&viewer->job);
}

static void on_closed(void *userdata)
{
	struct viewer *viewer = userdata;
	struct tc_event_live *live = viewer->live;

	tc_mutex_lock(&live->mutex);
	viewer->is_closed = true;
	if (!tc_list_is_empty(&viewer->node)) {
		tc_list_remove(&viewer->node);
		live->viewers_count--;
	}
	tc_mutex_unlock(&live->mutex);
	atomic_fetch_sub(&live->streams, 1);
	viewer_unref(viewer);
}

/* --- the interface --- */

int tc_event_live_new(struct tc_event_live **ret_live, const struct tc_event_live_options *options,
		      struct tocsin_error *error)
{
	struct tc_event_live *live = calloc(1, sizeof(*live));
	struct tc_event_position position = tc_outbox_position(options->outbox);
	int result;

	if (!live)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for streams");
	live->options = *options;
	tc_mutex_init(&live->mutex);
	tc_list_init(&live->viewers);
	tc_event_ring_init(&live->ring, &position);
	result = tc_outbox_subscribe(options->outbox, TC_OUTBOX_LISTENERS, on_events, live, error);
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
	tc_event_ring_deinit(&live->ring);
	pthread_mutex_destroy(&live->mutex);
	free(live->told);
	free(live);
	return NULL;
}

static struct viewer *viewer_new(struct tc_event_live *live, const struct tc_event_place *place)
{
	struct viewer *viewer = calloc(1, sizeof(*viewer));

	if (!viewer)
		return NULL;
	viewer->live = live;
	viewer->job = (struct tc_job){.run = run_job, .expire = expire_job};
	tc_list_init(&viewer->node);
	tc_list_init(&viewer->job.node);
	atomic_init(&viewer->refs, 1);
	atomic_init(&viewer->turn, TURN_FREE);
	viewer->has_place = place != NULL;
	if (place)
		viewer->place = *place;
	return viewer;
}

void tc_event_live_open(struct tc_event_live *live, struct tc_call *call, const char *text)
{
	bool is_stranger = tc_call_caller(call)->is_anonymous;
	struct tc_http_stream_options options = {
		.queue_max = QUEUE_MAX,
		.life_ms = is_stranger ? TC_EVENT_STREAM_LIFE_MS : TC_EVENT_STREAM_KNOWN_LIFE_MS,
		.drained = on_drained,
		.closed = on_closed};
	struct tocsin_error error = {0};
	struct tc_event_place place;
	struct viewer *viewer;

	if (text && !tc_event_place_parse(text, &place)) {
		tc_call_reply_problem_text(call, 400, "This is no id of an event of ours");
		return;
	}
	if (atomic_fetch_add(&live->streams, 1) >= live->options.streams_max) {
		atomic_fetch_sub(&live->streams, 1);
		tc_call_reply_problem_text(call, 503, "Too many streams are open; try again");
		return;
	}
	viewer = viewer_new(live, text ? &place : NULL);
	options.userdata = viewer;
	if (viewer && tc_call_stream(call, &options, &viewer->stream, &error) == TOCSIN_OK)
		return;
	atomic_fetch_sub(&live->streams, 1);
	free(viewer);
	tocsin_error_set(&error, TOCSIN_E_NOMEM, "out of memory for a stream");
	tc_call_reply_error(call, &error);
}

void tc_event_live_get_stats(struct tc_event_live *live, struct tc_event_live_stats *ret_stats)
{
	*ret_stats = (struct tc_event_live_stats){
		.streams = atomic_load(&live->streams),
		.delivered = atomic_load(&live->delivered),
		.resumed = atomic_load(&live->resumed),
		.gaps = atomic_load(&live->gaps),
	};
}
