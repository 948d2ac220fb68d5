/* modules/event/live_access.c: whose streams they are, and when they end because what their callers may do has changed.
 * The model and the locking are in live_internal.h.
 *
 * Changes are told one by one, by hints, which may be missed. After that a job asks the database about the callers of
 * all streams that are open: one at a time, and once more if it was asked for meanwhile. A stream that is being
 * opened then may not be among them; so the job is asked for once more when it comes. */
#include "modules/event/live_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "modules/auth/auth.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char key_prefix[] = "key:";

static bool is_key(const struct tc_event_viewer *viewer)
{
	return strncmp(viewer->caller_id, key_prefix, strlen(key_prefix)) == 0;
}

static bool is_of(const struct tc_event_viewer *viewer, const char *id)
{
	if (strcmp(viewer->session, id) == 0 || strcmp(viewer->caller_id, id) == 0)
		return true;
	return is_key(viewer) && strcmp(viewer->caller_id + strlen(key_prefix), id) == 0;
}

/* --- changes that are told --- */

/* Whether its caller may have been taken for what he was before a change. A change that is forgotten may
 * have been his. */
static bool has_changed(const struct tc_event_viewer *viewer, uint64_t since_us)
{
	const struct tc_event_live *live = viewer->live;

	if (since_us <= live->changes_forgotten_us)
		return true;
	for (unsigned i = 0; i < TC_EVENT_CHANGES_MAX; i++)
		if (live->changes[i].at_us >= since_us && is_of(viewer, live->changes[i].id))
			return true;
	return false;
}

static void remember_change(struct tc_event_live *live, const char *id)
{
	struct tc_event_change *change = &live->changes[live->changes_next];

	live->changes_next = (live->changes_next + 1) % TC_EVENT_CHANGES_MAX;
	live->changes_forgotten_us = change->at_us;
	change->at_us = tc_clock_us();
	snprintf(change->id, sizeof(change->id), "%s", id);
}

void tc_event_live_end_access(struct tc_event_live *live, const char *id)
{
	TC_LOCKED(&live->mutex);

	remember_change(live, id);
	tc_list_each (node, &live->known) {
		struct tc_event_viewer *viewer =
			tc_list_entry(node, struct tc_event_viewer, known_node);

		if (is_of(viewer, id))
			tc_http_stream_end(viewer->stream);
	}
}

/* --- changes that may have been missed --- */

/* The callers of the streams that are open now; a caller with several of them comes several times. */
static int list_holders(struct tc_event_live *live, struct tc_auth_holder **ret_holders,
			unsigned *ret_count, struct tocsin_error *error)
{
	TC_LOCKED(&live->mutex);
	struct tc_auth_holder *holders = calloc(live->known_count + 1, sizeof(*holders));
	unsigned count = 0;

	if (!holders)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for callers");
	tc_list_each (node, &live->known) {
		const struct tc_event_viewer *viewer =
			tc_list_entry(node, struct tc_event_viewer, known_node);
		struct tc_auth_holder *holder = &holders[count++];

		snprintf(holder->id, sizeof(holder->id), "%.36s",
			 is_key(viewer) ? viewer->caller_id + strlen(key_prefix) : viewer->session);
		holder->role = viewer->role;
	}
	*ret_holders = holders;
	*ret_count = count;
	return TOCSIN_OK;
}

/* A tc_auth_gone_fn. */
static void on_gone(const char *id, void *userdata)
{
	tc_event_live_end_access(userdata, id);
}

static int check_all(struct tc_event_live *live, struct tocsin_error *error)
{
	struct tc_auth_holder *holders = NULL;
	unsigned count = 0;
	int result = list_holders(live, &holders, &count, error);

	if (result == TOCSIN_OK && count > 0)
		result =
			tc_auth_find_gone(live->options.pool, holders, count, on_gone, live, error);
	free(holders);
	return result;
}

/* Whose rights cannot be looked up has none: he comes back, and is asked who he is. */
static void end_all(struct tc_event_live *live, const char *why)
{
	TC_LOCKED(&live->mutex);

	if (live->known_count == 0)
		return;
	tc_log_warning("events.recheck",
		       "changes of access may have been missed, and cannot be looked up; so "
		       "streams end that may come back (%u): %s",
		       live->known_count, why);
	tc_list_each (node, &live->known)
		tc_http_stream_end(tc_list_entry(node, struct tc_event_viewer, known_node)->stream);
}

static void run_recheck(struct tc_job *job)
{
	struct tc_event_live *live = tc_container_of(job, struct tc_event_live, recheck_job);
	enum tc_event_turn expected;

	do {
		struct tocsin_error error;

		atomic_store(&live->recheck, TC_EVENT_TURN_TAKEN);
		if (check_all(live, &error))
			end_all(live, error.message);
		expected = TC_EVENT_TURN_TAKEN;
	} while (!atomic_compare_exchange_strong(&live->recheck, &expected, TC_EVENT_TURN_FREE));
}

/* The turn is given back first: what is missed from then on has a job of its own. */
static void expire_recheck(struct tc_job *job)
{
	struct tc_event_live *live = tc_container_of(job, struct tc_event_live, recheck_job);

	atomic_store(&live->recheck, TC_EVENT_TURN_FREE);
	end_all(live, "the server is too busy");
}

static void start_recheck(struct tc_event_live *live)
{
	if (atomic_exchange(&live->recheck, TC_EVENT_TURN_AGAIN) != TC_EVENT_TURN_FREE)
		return;
	if (tc_executor_submit(live->options.work, &live->recheck_job) != TOCSIN_OK)
		expire_recheck(&live->recheck_job);
}

void tc_event_live_recheck(struct tc_event_live *live)
{
	tc_mutex_lock(&live->mutex);
	live->rechecked_us = tc_clock_us();
	tc_mutex_unlock(&live->mutex);
	start_recheck(live);
}

/* --- streams that come and go --- */

/* True if its caller is to be looked up: what he may do was found out before a recheck, which did not see the
 * stream. */
static bool enlist(struct tc_event_viewer *viewer, uint64_t since_us)
{
	struct tc_event_live *live = viewer->live;
	TC_LOCKED(&live->mutex);

	if (viewer->is_closed || !viewer->caller_id[0])
		return false;
	tc_list_push_back(&live->known, &viewer->known_node);
	live->known_count++;
	if (has_changed(viewer, since_us))
		tc_http_stream_end(viewer->stream);
	return since_us <= live->rechecked_us;
}

void tc_event_viewer_enlist(struct tc_event_viewer *viewer, uint64_t since_us)
{
	if (enlist(viewer, since_us))
		start_recheck(viewer->live);
}

void tc_event_viewer_delist(struct tc_event_viewer *viewer)
{
	if (tc_list_is_empty(&viewer->known_node))
		return;
	tc_list_remove(&viewer->known_node);
	viewer->live->known_count--;
}

void tc_event_live_init_access(struct tc_event_live *live)
{
	tc_list_init(&live->known);
	live->recheck_job = (struct tc_job){.run = run_recheck, .expire = expire_recheck};
	tc_list_init(&live->recheck_job.node);
	atomic_init(&live->recheck, TC_EVENT_TURN_FREE);
}
