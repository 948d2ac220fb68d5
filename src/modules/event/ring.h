/* modules/event/ring.h: the last events as text for streams, in chunks that streams share. No locking:
 * the owner's. */
#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "core/outbox/events.h"
#include "http/stream.h"

#define TC_EVENT_PLACE_SIZE 44 /* text, NUL included */

/* What a stream has been told: everything up to an event; `part` 1: of that event, only the first part. */
struct tc_event_place {
	struct tc_event_position position;
	unsigned part;
};

int tc_event_place_compare(const struct tc_event_place *a, const struct tc_event_place *b);
void tc_event_place_format(const struct tc_event_place *place,
			   char ret_text[static TC_EVENT_PLACE_SIZE]);
/* False if the text is not a place. */
bool tc_event_place_parse(const char *text, struct tc_event_place *ret_place);

/* Text of successive events. */
struct tc_event_batch {
	struct tc_list node;
	struct tc_http_chunk *chunk; /* owned reference */
	unsigned count;
	struct tc_event_mark {
		struct tc_event_place place; /* of who has been told it */
		size_t offset;               /* where it begins */
	} marks[];
};

struct tc_event_batch *tc_event_batch_free(struct tc_event_batch *batch);

/* Makes batches of what streams are told of `events`, and appends them to `list` (struct
 * tc_event_batch); what is not after `after` is left out. False when memory ran out: `list` holds the beginning. */
bool tc_event_batches_make(const struct tc_event *events, unsigned count,
			   const struct tc_event_place *after, struct tc_list *list);
void tc_event_batches_free(struct tc_list *list);
/* Where in the chunk what comes after `place` begins; its length, if nothing does. */
size_t tc_event_batch_find(const struct tc_event_batch *batch, const struct tc_event_place *place);

/* A stream that begins is given all of the ring at once, and each batch takes a place in its queue: of one event
 * each there would soon be more than it has. */
#define TC_EVENT_RING_BATCHES_MAX (TC_HTTP_STREAM_PIECES_MAX / 2)

/* The ring: a list of batches, which trim keeps bounded by dropping the oldest. */
struct tc_event_ring {
	struct tc_list batches;
	struct tc_event_place start, end; /* it holds everything after `start`, up to `end` */
	unsigned batches_count, count;    /* count: marks */
	size_t size;                      /* bytes */
};

void tc_event_ring_init(struct tc_event_ring *ring, const struct tc_event_position *position);
void tc_event_ring_deinit(struct tc_event_ring *ring);
/* Takes the batches over; `end` is the last event they were made of, told or not. */
void tc_event_ring_append(struct tc_event_ring *ring, struct tc_list *batches,
			  const struct tc_event_position *end);
void tc_event_ring_trim(struct tc_event_ring *ring);
/* Whether it has been at that place itself. One that only lies in it by its numbers may be of what the database lost. */
bool tc_event_ring_knows(const struct tc_event_ring *ring, const struct tc_event_place *place);
/* Forgets everything: from now on it holds what comes after `end`. */
void tc_event_ring_restart(struct tc_event_ring *ring, const struct tc_event_position *end);
