/* core/outbox/outbox.c: see outbox.h.
 *
 * Hints of this node's own commits come back to it; they carry its name, and are not listened to.
 *
 * Locking: `mutex` guards `position` and the counts for those who ask, and `must_stop`; the thread alone
 * moves them. `wanted` is atomic: of many commits in a row all but the first pay one exchange. So is `is_failing`, which every
 * cached answer asks for. */
#include "core/outbox/outbox.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/uuid.h"
#include "core/outbox/hints.h"
#include "core/outbox/notify.h"
#include "sql_app.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC           "events"
#define SUBSCRIBERS_MAX 8
/* While events are held: the first wait, which doubles up to TC_OUTBOX_LOOK_MS. */
#define HELD_MS 10u

struct tc_outbox {
	struct tc_outbox_options options;
	char node[TC_UUID_SIZE];
	struct tc_notify *notify;
	struct tc_outbox_subscriber subscribers[TC_OUTBOX_STAGES][SUBSCRIBERS_MAX];
	unsigned subscribers_count[TC_OUTBOX_STAGES];
	tc_outbox_wants_fn wants;
	void *wants_userdata;
	struct tc_events *page; /* the thread's */
	pthread_t thread;
	bool is_started;
	atomic_bool wanted, is_failing;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* wanted or must_stop */
	bool must_stop;
	struct tc_event_position position;
	uint64_t events, documents, looks, gaps;
};

static void wake(struct tc_outbox *outbox)
{
	if (atomic_exchange(&outbox->wanted, true))
		return;
	tc_mutex_lock(&outbox->mutex);
	pthread_cond_signal(&outbox->changed);
	tc_mutex_unlock(&outbox->mutex);
}

static void on_hint(const char *detail, void *userdata)
{
	struct tc_outbox *outbox = userdata;

	if (!detail || strcmp(detail, outbox->node) != 0)
		wake(outbox);
}

void tc_outbox_committed(struct tc_outbox *outbox)
{
	if (!outbox)
		return;
	wake(outbox);
	tc_notify_request(outbox->notify);
}

/* --- reading --- */

static bool want_documents(struct tc_outbox *outbox, const struct tc_event_position *passing)
{
	return outbox->wants && outbox->wants(passing, outbox->wants_userdata);
}

static void tell_all(struct tc_outbox *outbox, enum tc_outbox_stage stage,
		     const struct tc_events *page)
{
	for (unsigned i = 0; i < outbox->subscribers_count[stage]; i++) {
		const struct tc_outbox_subscriber *subscriber = &outbox->subscribers[stage][i];

		if (subscriber->tell)
			subscriber->tell(page->events, page->count, subscriber->userdata);
	}
}

static void tell_all_of_gap(struct tc_outbox *outbox, enum tc_outbox_stage stage,
			    const struct tc_event_position *position)
{
	for (unsigned i = 0; i < outbox->subscribers_count[stage]; i++) {
		const struct tc_outbox_subscriber *subscriber = &outbox->subscribers[stage][i];

		if (subscriber->gap)
			subscriber->gap(position, subscriber->userdata);
	}
}

/* False where listeners came to want documents after a brief page was read: it is to be read again. That
 * caches are told twice is no harm. */
static bool hand_on(struct tc_outbox *outbox, const struct tc_events *page)
{
	const struct tc_event *last = &page->events[page->count - 1];

	tell_all(outbox, TC_OUTBOX_CACHES, page);
	if (last->is_brief && want_documents(outbox, &last->position))
		return false;
	tell_all(outbox, TC_OUTBOX_LISTENERS, page);
	tc_mutex_lock(&outbox->mutex);
	outbox->position = last->position;
	outbox->events += page->count;
	outbox->documents += last->is_brief ? 0 : page->count;
	tc_mutex_unlock(&outbox->mutex);
	return true;
}

/* So many events back, but not before what was removed. */
static int find_back(struct tocsin_connection *connection, const char *back,
		     struct tc_event_position *ret_position, struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	int result = tc_query(connection, &tc_sql_outbox_events_start, &back, &rows, error);

	if (result == TOCSIN_OK)
		result = tc_event_horizon_get(rows, 0, ret_position, error);
	return result;
}

/* A position behind what was removed goes there; one of what the database lost, to what is newest. */
static int pass_gap(struct tc_outbox *outbox, struct tocsin_connection *connection,
		    const struct tc_event_position *removed, struct tocsin_error *error)
{
	struct tc_event_position position = *removed;
	int result = TOCSIN_OK;

	if (tc_event_position_compare(&outbox->position, removed) >= 0)
		result = find_back(connection, "0", &position, error);
	if (result)
		return result;
	tc_log_warning("outbox.gap", "events are gone that this node has not read: streams are "
				     "told, and nothing cached is used");
	tell_all_of_gap(outbox, TC_OUTBOX_CACHES, &position);
	tell_all_of_gap(outbox, TC_OUTBOX_LISTENERS, &position);
	tc_mutex_lock(&outbox->mutex);
	outbox->position = position;
	outbox->gaps++;
	tc_mutex_unlock(&outbox->mutex);
	return TOCSIN_OK;
}

/* A page further. *ret_is_last: there is nothing more for now. */
static int read_page(struct tc_outbox *outbox, struct tocsin_connection *connection,
		     bool *ret_is_last, struct tc_event_outlook *ret_outlook,
		     struct tocsin_error *error)
{
	const struct tc_event_look wanted = {.after = outbox->position,
					     .is_brief = !want_documents(outbox, NULL)};
	int result = tc_events_look(connection, &wanted, outbox->page, ret_outlook, error);

	/* This look has failed even so: that is said, and the next one finds the row. */
	if (result == TOCSIN_E_NOT_FOUND)
		tc_query(connection, &tc_sql_outbox_keep_horizon, NULL, NULL, error);
	if (result)
		return result;
	*ret_is_last = false;
	if (!ret_outlook->is_known)
		result = pass_gap(outbox, connection, &ret_outlook->removed, error);
	else if (outbox->page->count == 0 || hand_on(outbox, outbox->page))
		*ret_is_last = outbox->page->count < TC_EVENTS_MAX;
	tc_events_deinit(outbox->page);
	return result;
}

/* Reads and hands on all there is. *ret_is_held: something waits for a transaction to end. */
static int look(struct tc_outbox *outbox, bool *ret_is_held, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	struct tc_event_outlook outlook = {0};
	bool is_last = false;
	int result = tocsin_pool_acquire(outbox->options.pool, &connection, error);

	while (result == TOCSIN_OK && !is_last)
		result = read_page(outbox, connection, &is_last, &outlook, error);
	if (result == TOCSIN_OK)
		*ret_is_held = outlook.is_held;
	return result;
}

/* Until it is time to look: `pace_ms` at the earliest, `look_ms` at the latest. False: to stop. */
static bool wait_for_look(struct tc_outbox *outbox, uint64_t pace_ms, uint64_t look_ms)
{
	TC_LOCKED(&outbox->mutex);

	while (!outbox->must_stop) {
		uint64_t until_ms = atomic_load(&outbox->wanted) ? pace_ms : look_ms;

		if (tc_clock_ms() >= until_ms)
			break;
		tc_cond_wait_until(&outbox->changed, &outbox->mutex, until_ms);
	}
	outbox->looks++;
	return !outbox->must_stop;
}

static void *run(void *argument)
{
	struct tc_outbox *outbox = argument;
	uint64_t pace_ms = 0, look_ms = 0, held_ms = HELD_MS;

	while (wait_for_look(outbox, pace_ms, look_ms)) {
		struct tocsin_error error;
		bool is_held = false;
		int result;

		/* Before the look: a commit from now on may be too late for it. */
		atomic_store(&outbox->wanted, false);
		result = look(outbox, &is_held, &error);
		if (!atomic_exchange(&outbox->is_failing, result != TOCSIN_OK) && result)
			tc_log_warning("outbox.failed", "cannot read events: %s", error.message);
		held_ms = is_held ? TC_MIN(held_ms * 2, TC_OUTBOX_LOOK_MS) : HELD_MS;
		pace_ms = tc_clock_ms() + TC_OUTBOX_PACE_MS;
		look_ms = tc_clock_ms() + (is_held ? held_ms : TC_OUTBOX_LOOK_MS);
	}
	return NULL;
}

/* --- the beginning --- */

/* All or nothing, and once: the node that comes next finds nothing to adopt. */
static int adopt(struct tocsin_connection *connection, void *userdata, struct tocsin_error *error)
{
	static const struct tc_sql *const steps[] = {&tc_sql_outbox_adopt_readers,
						     &tc_sql_outbox_adopt_events,
						     &tc_sql_outbox_adopt_horizon};
	TC_RESULT *foreign = NULL;
	int result = tc_query(connection, &tc_sql_outbox_adopt_lock, NULL, NULL, error);

	if (result == TOCSIN_OK)
		result = tc_query(connection, &tc_sql_outbox_events_foreign, NULL, &foreign, error);
	if (result != TOCSIN_OK || !tc_result_is_true(foreign, 0, 0))
		return result;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(steps) && result == TOCSIN_OK; i++)
		result = tc_query(connection, steps[i], NULL, NULL, error);
	*(bool *)userdata = result == TOCSIN_OK;
	return result;
}

/* Transactions of a restored dump have numbers of another cluster: those that this one is yet to give would
 * be waited for, and new events would be sorted before what was read. */
static int adopt_foreign(struct tocsin_pool *pool, struct tocsin_error *error)
{
	struct tocsin_connection *connection;
	TC_RESULT *foreign = NULL;
	bool has_adopted = false;
	int result = tocsin_pool_acquire(pool, &connection, error);

	if (result)
		return result;
	result = tc_query(connection, &tc_sql_outbox_events_foreign, NULL, &foreign, error);
	tocsin_pool_release(connection);
	if (result != TOCSIN_OK || !tc_result_is_true(foreign, 0, 0))
		return result;
	result = tocsin_pool_transact(pool, adopt, &has_adopted, error);
	if (result == TOCSIN_OK && has_adopted)
		tc_log_info("outbox.adopted", "adopted the events of a restored database");
	return result;
}

static int find_start(struct tc_outbox *outbox, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	char back[12];
	int result = tocsin_pool_acquire(outbox->options.pool, &connection, error);

	snprintf(back, sizeof(back), "%u", TC_OUTBOX_REPLAY);
	if (result == TOCSIN_OK)
		result = tc_query(connection, &tc_sql_outbox_keep_horizon, NULL, NULL, error);
	if (result == TOCSIN_OK)
		result = find_back(connection, back, &outbox->position, error);
	return result;
}

int tc_outbox_new(struct tc_outbox **ret_outbox, const struct tc_outbox_options *options,
		  struct tocsin_error *error)
{
	TC_CLEANUP(tc_outbox_free) struct tc_outbox *outbox = calloc(1, sizeof(*outbox));
	char payload[sizeof(TOPIC) + TC_UUID_SIZE];
	int result;

	if (!outbox)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the outbox");
	tc_mutex_init(&outbox->mutex);
	tc_cond_init(&outbox->changed);
	outbox->options = *options;
	tc_uuid_new(outbox->node);
	snprintf(payload, sizeof(payload), TOPIC ":%s", outbox->node);
	outbox->page = calloc(1, sizeof(*outbox->page));
	if (!outbox->page)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for the outbox");
	result = adopt_foreign(options->pool, error);
	if (result == TOCSIN_OK)
		result = find_start(outbox, error);
	if (result == TOCSIN_OK)
		result = tc_notify_new(&outbox->notify, options->pool, payload, error);
	/* Last: what hints know can no longer go away. */
	if (result == TOCSIN_OK && options->hints)
		result = tc_hints_subscribe(options->hints, TOPIC, on_hint, outbox, error);
	if (result == TOCSIN_OK)
		*ret_outbox = tc_take(outbox);
	return result;
}

int tc_outbox_subscribe(struct tc_outbox *outbox, enum tc_outbox_stage stage,
			const struct tc_outbox_subscriber *subscriber, struct tocsin_error *error)
{
	unsigned *count = &outbox->subscribers_count[stage];

	assert(!outbox->is_started);
	if (*count == SUBSCRIBERS_MAX)
		return tocsin_error_set(error, TOCSIN_E_FULL,
					"there are %d subscribers to events already",
					SUBSCRIBERS_MAX);
	outbox->subscribers[stage][(*count)++] = *subscriber;
	return TOCSIN_OK;
}

void tc_outbox_set_wants(struct tc_outbox *outbox, tc_outbox_wants_fn wants, void *userdata)
{
	assert(!outbox->is_started && !outbox->wants);
	outbox->wants = wants;
	outbox->wants_userdata = userdata;
}

int tc_outbox_start(struct tc_outbox *outbox, struct tocsin_error *error)
{
	bool is_held;
	int result = look(outbox, &is_held, error);

	if (result == TOCSIN_OK)
		result = tc_thread_start(&outbox->thread, "outbox", run, outbox, error);
	outbox->is_started = result == TOCSIN_OK;
	return result;
}

void tc_outbox_stop(struct tc_outbox *outbox)
{
	if (!outbox || !outbox->is_started)
		return;
	tc_mutex_lock(&outbox->mutex);
	outbox->must_stop = true;
	pthread_cond_signal(&outbox->changed);
	tc_mutex_unlock(&outbox->mutex);
	pthread_join(outbox->thread, NULL);
	outbox->is_started = false;
}

struct tc_outbox *tc_outbox_free(struct tc_outbox *outbox)
{
	if (!outbox)
		return NULL;
	tc_outbox_stop(outbox);
	tc_notify_free(outbox->notify);
	free(outbox->page);
	pthread_cond_destroy(&outbox->changed);
	pthread_mutex_destroy(&outbox->mutex);
	free(outbox);
	return NULL;
}

bool tc_outbox_is_reading(const struct tc_outbox *outbox)
{
	return !atomic_load(&outbox->is_failing);
}

struct tc_event_position tc_outbox_position(struct tc_outbox *outbox)
{
	TC_LOCKED(&outbox->mutex);

	return outbox->position;
}

void tc_outbox_get_stats(struct tc_outbox *outbox, struct tc_outbox_stats *ret_stats)
{
	TC_LOCKED(&outbox->mutex);

	*ret_stats = (struct tc_outbox_stats){
		.position = outbox->position,
		.events = outbox->events,
		.documents = outbox->documents,
		.looks = outbox->looks,
		.gaps = outbox->gaps,
		.hints_sent = tc_notify_sent(outbox->notify),
	};
}
