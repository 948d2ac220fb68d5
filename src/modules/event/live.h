/* modules/event/live.h: streams of events to clients (server-sent events).
 *
 * Model. This node's outbox hands every event on once; here it becomes text, once, which all streams share
 * (http/stream.h). The last few thousand events are kept in memory, in the ring. A stream begins behind
 * a place: now, or what the client says it has got. If the ring holds everything after it, the stream
 * is given that and is live from then on. If not, it catches up first: pages of events are read from the database
 * on the work executor, the next one when the connection has taken the last, until the ring has what
 * is left. There is no moment between the two at which an event could be missed: both are one order
 * of events (core/outbox/events.h), and a stream goes live under the mutex under which the ring grows.
 *
 * A place is TRANSACTION.SEQUENCE of an event, or that and ".1" between the two things a stream is told
 * of it (its kind, and incident.lifecycle.changed): text that only we understand, good on every node.
 *
 * A place whose next events are gone, or one of another database, gets the event `events.gap`: what the client
 * knows may be wrong, and is to be read again. So does every open stream when events were removed that this node
 * had not read.
 *
 * Text is made, and read from the database, only while a stream is open on this node, and TC_EVENT_LINGER_MS
 * after, so that those who come back at once find it in memory.
 *
 * Threads: any. Nothing here blocks but free. */
#pragma once

#include "core/outbox/outbox.h"
#include "core/procedure/procedure.h"

struct tc_event_live;

#define TC_EVENT_LINGER_MS 3000u

/* A stream ends after so long, in good order, so that its caller's rights are looked at again: a caller with
 * a key or a session soon, because these can be taken away. That ends it at once (tc_event_live_end_access),
 * unless the node did not hear of it. */
#define TC_EVENT_STREAM_LIFE_MS       (60u * 60u * 1000u)
#define TC_EVENT_STREAM_KNOWN_LIFE_MS (60u * 1000u)

/* More than any node has. */
#define TC_EVENT_STREAMS_MAX 1000000

struct tc_event_live_options {
	struct tc_outbox *outbox; /* borrowed; not started yet */
	struct tc_executor *work; /* borrowed; for catching up; freed before */
	struct tocsin_pool *pool; /* borrowed; the work pool */
	unsigned streams_max;     /* further ones are refused with 503 */
	/* Of one caller: a key, a user, or the address of one who has neither; further ones are refused with 429.
	 * A sixteenth of all streams is for others, whatever this says. */
	unsigned caller_streams_max;
};

struct tc_event_live_stats {
	unsigned streams;
	uint64_t delivered; /* events times streams */
	uint64_t resumed;   /* streams that caught up from the database */
	uint64_t gaps;
	uint64_t refused; /* calls of those who had as many as they may */
};

int tc_event_live_new(struct tc_event_live **ret_live, const struct tc_event_live_options *options,
		      struct tocsin_error *error);
/* When HTTP server and executor are gone and the outbox has stopped. NULL allowed, returns NULL. */
struct tc_event_live *tc_event_live_free(struct tc_event_live *live);

/* Takes the call and answers it: with a stream from behind `place` (NULL: now), 400 if that is none, 429, 503.
 * `client`: whose streams an anonymous caller's are, at most 63 bytes. */
void tc_event_live_open(struct tc_event_live *live, struct tc_call *call, const char *place,
			const char *client);
/* Ends the streams of a key or session (its id) or of a user ("user:" and the id), also those that are being
 * opened: what these may do has changed. They may come back, and are judged anew. When authentication knows of it. */
void tc_event_live_end_access(struct tc_event_live *live, const char *id);
/* When changes of access may have been missed, and authentication has forgotten whom it knew: looks up, on the work
 * executor, who of those with open streams may still do what he did, and ends the streams of the others. Where that
 * fails, all of those with a key or a session end. Does not block. */
void tc_event_live_recheck(struct tc_event_live *live);
void tc_event_live_get_stats(struct tc_event_live *live, struct tc_event_live_stats *ret_stats);
