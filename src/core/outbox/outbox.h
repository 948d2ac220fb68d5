/* core/outbox/outbox.h: this node's reader of the outbox, and how commits are told.
 *
 * Model. One thread follows table `events` in its order, from where the node started, and hands every event
 * once, in batches, to subscribers of this process: first to caches, then to listeners, so that who is
 * told of a change and asks finds no answer from before it. It looks when a commit of this node or
 * a hint of another says so, at most once in TC_OUTBOX_PACE_MS, and in any case every TC_OUTBOX_LOOK_MS,
 * because a hint may be lost. An event that stands behind a transaction still running has to wait for it: then
 * it looks again soon. While the database is away it waits; nothing is lost.
 *
 * What streams are told of an event costs more than the event. Events are brief (core/outbox/events.h) unless the one
 * who wants documents says so; he is asked before a page is read, and once more before a brief one is handed to
 * listeners.
 *
 * A gap. Old events are removed though a node has not read them, if it was stopped or cut off for longer than
 * they are kept; and a database that failed over may have lost what it had. Then all subscribers who ask for gaps
 * are told, caches first, and reading goes on behind what was removed (or lost).
 *
 * Threads: subscribe before start; the rest is for any thread. Subscribers are called on the outbox's
 * thread (during start: on the caller's), must not block on anything slow, and may keep nothing of the events. */
#pragma once

#include "core/outbox/events.h"

#define TC_OUTBOX_LOOK_MS 1000u
#define TC_OUTBOX_PACE_MS 20u
/* Events before the start that subscribers are told, so that those who come back after a restart can be
 * served from memory. */
#define TC_OUTBOX_REPLAY 2000u

struct tc_outbox;
struct tc_hints;

enum tc_outbox_stage { TC_OUTBOX_CACHES, TC_OUTBOX_LISTENERS, TC_OUTBOX_STAGES };
typedef void (*tc_outbox_fn)(const struct tc_event *events, unsigned count, void *userdata);

/* Everything up to `position` may have happened; what comes after it is told. */
typedef void (*tc_outbox_gap_fn)(const struct tc_event_position *position, void *userdata);
/* Whether events are to have documents. `passing` NULL: before a page is read. Else a brief page that ends there
 * is about to be handed to listeners, caches know it already: true has it read once more, with documents. */
typedef bool (*tc_outbox_wants_fn)(const struct tc_event_position *passing, void *userdata);

/* Either function may be NULL: not told of that. */
struct tc_outbox_subscriber {
	tc_outbox_fn tell;
	tc_outbox_gap_fn gap;
	void *userdata; /* borrowed, until the outbox has stopped */
};

struct tc_outbox_options {
	struct tocsin_pool *pool; /* borrowed; two connections: reading, and sending hints */
	struct tc_hints *hints;   /* borrowed; to be freed before the outbox */
};

struct tc_outbox_stats {
	struct tc_event_position position;
	uint64_t events, looks, hints_sent;
	uint64_t documents; /* of the events, those read with documents */
	uint64_t gaps;
};

/* Adopts events of a restored dump, finds where to begin, and subscribes to hints. Blocks. */
int tc_outbox_new(struct tc_outbox **ret_outbox, const struct tc_outbox_options *options,
		  struct tocsin_error *error);
/* At most 8 a stage; within a stage they are told in the order of subscription. Copies the struct. */
int tc_outbox_subscribe(struct tc_outbox *outbox, enum tc_outbox_stage stage,
			const struct tc_outbox_subscriber *subscriber, struct tocsin_error *error);
/* Once: one who wants documents. Called as subscribers are. Without one all events are brief. */
void tc_outbox_set_wants(struct tc_outbox *outbox, tc_outbox_wants_fn wants, void *userdata);
/* Reads what is there, blocking, then starts the threads. */
int tc_outbox_start(struct tc_outbox *outbox, struct tocsin_error *error);
/* Joins the reading thread: subscribers are not called any more, and may go. NULL allowed. */
void tc_outbox_stop(struct tc_outbox *outbox);
/* Stops; sends the hint that was asked for last. NULL allowed, returns NULL. */
struct tc_outbox *tc_outbox_free(struct tc_outbox *outbox);
TC_DEFINE_CLEANUP(struct tc_outbox *, tc_outbox_free);

/* To be called after a commit that may have written events: wakes this node's reader, and hints to
 * the others. Costs next to nothing when called often. Does not block. NULL allowed. */
void tc_outbox_committed(struct tc_outbox *outbox);

/* False from a look that failed until one does not: meanwhile changes are not heard of. Any thread; does not block. */
bool tc_outbox_is_reading(const struct tc_outbox *outbox);

/* Everything up to here has been handed on. */
struct tc_event_position tc_outbox_position(struct tc_outbox *outbox);
void tc_outbox_get_stats(struct tc_outbox *outbox, struct tc_outbox_stats *ret_stats);
