/* modules/event/live_internal.h: what the files behind live.h share: live.c (the interface), live_access.c
 * (whose streams they are, and when they end for it), live_outbox.c (what the outbox tells), live_catch_up.c (from a
 * place to live). Private to event/.
 *
 * A viewer is one stream. It is owned by its connection, until that is closed, by the job that reads for
 * it, by the outbox's thread while it pushes, and by who opens it; each has a reference.
 *
 * A viewer that catches up does one thing at a time: `turn` says whether somebody is at it. A drain takes
 * the turn, and goes live or has a job read the next page; a drain while the turn is taken asks for one
 * more page. A viewer that is live is in `viewers`, and keeps the turn for ever.
 *
 * Locking: `mutex` guards the ring, the lists of viewers, and what is said below. Only the outbox's thread changes
 * the ring, so it reads it without; it pushes without the mutex, too, to a copy of the list: HTTP threads must not
 * wait for thousands of pushes. A stream's own mutex is taken last. */
#pragma once

#include "modules/event/callers.h"
#include "modules/event/live.h"
#include "modules/event/ring.h"
#include <pthread.h>
#include <stdatomic.h>

/* Bytes a stream's queue may have; the ring fits twice. */
#define TC_EVENT_QUEUE_MAX ((size_t)4 * 1024 * 1024)

/* How long a client waits before it comes back. */
#define TC_EVENT_RETRY_TEXT "retry: 1000\n"
/* Changes of access that are remembered, for streams that are being opened meanwhile. */
#define TC_EVENT_CHANGES_MAX 64u

enum tc_event_turn { TC_EVENT_TURN_FREE, TC_EVENT_TURN_TAKEN, TC_EVENT_TURN_AGAIN };

struct tc_event_change {
	char id[TC_EVENT_CALLER_SIZE];
	uint64_t at_us;
};

struct tc_event_live {
	struct tc_event_live_options options;
	struct tc_event_callers *callers;
	pthread_mutex_t mutex;
	struct tc_event_ring ring;
	struct tc_list viewers; /* those that are live */
	unsigned viewers_count;
	struct tc_list known; /* viewers whose callers have a key or a session */
	unsigned known_count; /* mutex */
	struct tc_event_change changes[TC_EVENT_CHANGES_MAX]; /* mutex; a ring */
	unsigned changes_next;                                /* mutex */
	uint64_t changes_forgotten_us;                        /* mutex; up to here */
	uint64_t rechecked_us;                                /* mutex; when that was last wanted */
	/* The job that looks up who may still do what he did; whether it is under way, or to be done once more. */
	struct tc_job recheck_job;
	_Atomic(enum tc_event_turn) recheck;
	struct tc_event_viewer **told; /* the outbox's thread's: whom it is pushing to */
	unsigned told_max;
	atomic_uint streams;
	_Atomic uint64_t linger_until_ms; /* streams that left may come back until then */
	_Atomic uint64_t delivered, resumed, gaps, refused;
};

struct tc_event_viewer {
	struct tc_list node;       /* in viewers, while live */
	struct tc_list known_node; /* in known, while open */
	struct tc_job job;
	struct tc_event_live *live;
	struct tc_http_stream *stream;
	struct tc_event_caller *caller; /* counted until it is closed */
	char caller_id[TC_EVENT_CALLER_SIZE], session[TC_EVENT_CALLER_SIZE]; /* "": none */
	const char *role; /* the caller's, when the call began; constant */
	atomic_uint refs;
	_Atomic(enum tc_event_turn) turn;
	bool is_closed; /* mutex */
	/* Of whoever has the turn; the outbox's thread's once live. */
	bool has_place;  /* false: begins now */
	bool is_greeted; /* it was told where it is */
	bool is_checked; /* the database knows its place */
	struct tc_event_place place;
};

/* --- live.c --- */

void tc_event_viewer_unref(struct tc_event_viewer *viewer);

/* --- live_access.c --- */

void tc_event_live_init_access(struct tc_event_live *live);
/* From now on a change of its caller's access ends the stream; one since the call began does so, too. */
void tc_event_viewer_enlist(struct tc_event_viewer *viewer, uint64_t since_us);
/* With the mutex held; harmless where it was never enlisted. */
void tc_event_viewer_delist(struct tc_event_viewer *viewer);

/* --- live_outbox.c --- */

/* Subscribes to the outbox. */
int tc_event_live_listen(struct tc_event_live *live, struct tocsin_error *error);
/* What comes after the viewer's place goes to its stream; with the mutex held, or on the outbox's thread. */
void tc_event_viewer_tell(struct tc_event_viewer *viewer, const struct tc_event_batch *batch);

/* --- live_catch_up.c --- */

/* The stream's `drained`. */
void tc_event_viewer_drained(void *viewer);
/* Prepares the job of a new viewer. */
void tc_event_viewer_init_job(struct tc_event_viewer *viewer);
/* The bytes after which a client comes back to `place`; with `event`, it is told that, too. NULL when memory ran
 * out. The caller owns a reference. */
struct tc_http_chunk *tc_event_greeting_new(const struct tc_event_place *place, const char *event);
