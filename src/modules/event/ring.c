/* modules/event/ring.c: see ring.h. */
#include "modules/event/ring.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX      2u
#define CHUNK_SIZE_MAX ((size_t)128 * 1024) /* a batch ends once it has so much */
#define RING_COUNT_MAX 8192u
#define RING_SIZE_MAX  ((size_t)2 * 1024 * 1024)

/* --- places --- */

int tc_event_place_compare(const struct tc_event_place *a, const struct tc_event_place *b)
{
	int order = tc_event_position_compare(&a->position, &b->position);

	/* Part 1 is before the whole, which is part 0. */
	return order ? order : (int)b->part - (int)a->part;
}

void tc_event_place_format(const struct tc_event_place *place,
			   char ret_text[static TC_EVENT_PLACE_SIZE])
{
	snprintf(ret_text, TC_EVENT_PLACE_SIZE, "%" PRIu64 ".%" PRIu64 "%s",
		 place->position.transaction, place->position.sequence, place->part ? ".1" : "");
}

/* Digits only: strtoull would take signs and spaces. What has 18 is no overflow, and enough. */
static bool parse_number(const char **text, uint64_t *ret_number)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*ret_number = strtoull(*text, &end, 10);
	if (end - *text > 18)
		return false;
	*text = end;
	return true;
}

bool tc_event_place_parse(const char *text, struct tc_event_place *ret_place)
{
	struct tc_event_place place = {0};

	if (!parse_number(&text, &place.position.transaction) || *text++ != '.' ||
	    !parse_number(&text, &place.position.sequence))
		return false;
	if (strcmp(text, ".1") == 0)
		place.part = 1;
	else if (*text)
		return false;
	*ret_place = place;
	return true;
}

/* --- batches --- */

struct tc_event_batch *tc_event_batch_free(struct tc_event_batch *batch)
{
	if (batch) {
		tc_http_chunk_unref(batch->chunk);
		free(batch);
	}
	return NULL;
}

void tc_event_batches_free(struct tc_list *list)
{
	struct tc_list *node;

	while ((node = tc_list_pop_front(list)))
		tc_event_batch_free(tc_list_entry(node, struct tc_event_batch, node));
}

/* A batch in the making. */
struct maker {
	struct tc_list *list;
	struct tc_event_place after;
	struct tc_buffer text;
	unsigned count;
	struct tc_event_mark marks[TC_EVENTS_MAX * PARTS_MAX];
};

static void maker_deinit(struct maker **maker)
{
	if (*maker)
		tc_buffer_deinit(&(*maker)->text);
	free(*maker);
}

static void add(struct maker *maker, const struct tc_event *event, unsigned part, const char *name,
		const char *document)
{
	struct tc_event_place place = {event->position, part};
	char id[TC_EVENT_PLACE_SIZE];

	if (tc_event_place_compare(&place, &maker->after) <= 0)
		return;
	maker->marks[maker->count++] = (struct tc_event_mark){place, maker->text.length};
	tc_event_place_format(&place, id);
	/* The documents are JSON in a line. */
	tc_buffer_append_format(&maker->text, "event: %s\nid: %s\ndata: ", name, id);
	tc_buffer_append_text(&maker->text, document);
	tc_buffer_append_text(&maker->text, "\n\n");
}

static bool finish_batch(struct maker *maker)
{
	size_t marks_size = maker->count * sizeof(maker->marks[0]);
	struct tc_event_batch *batch;

	if (maker->count == 0)
		return true;
	if (maker->text.failed)
		return false;
	batch = malloc(sizeof(*batch) + marks_size);
	if (!batch)
		return false;
	batch->chunk = tc_http_chunk_new(maker->text.data, maker->text.length);
	if (!batch->chunk) {
		free(batch);
		return false;
	}
	batch->count = maker->count;
	memcpy(batch->marks, maker->marks, marks_size);
	tc_list_init(&batch->node);
	tc_list_push_back(maker->list, &batch->node);
	maker->count = 0;
	tc_buffer_clear(&maker->text);
	return true;
}

bool tc_event_batches_make(const struct tc_event *events, unsigned count,
			   const struct tc_event_place *after, struct tc_list *list)
{
	__attribute__((cleanup(maker_deinit))) struct maker *maker = calloc(1, sizeof(*maker));

	assert(count <= TC_EVENTS_MAX);
	if (!maker)
		return false;
	maker->list = list;
	maker->after = *after;
	for (unsigned i = 0; i < count; i++) {
		const struct tc_event *event = &events[i];

		if (event->document)
			add(maker, event, 1, event->kind, event->document);
		if (event->lifecycle)
			add(maker, event, 0, "incident.lifecycle.changed", event->lifecycle);
		if (maker->text.length >= CHUNK_SIZE_MAX && !finish_batch(maker))
			return false;
	}
	return finish_batch(maker);
}

/* The first mark after a place; their count, if there is none. */
static unsigned find_next(const struct tc_event_batch *batch, const struct tc_event_place *place)
{
	unsigned low = 0, high = batch->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (tc_event_place_compare(&batch->marks[middle].place, place) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t tc_event_batch_find(const struct tc_event_batch *batch, const struct tc_event_place *place)
{
	unsigned next = find_next(batch, place);

	return next < batch->count ? batch->marks[next].offset : tc_http_chunk_length(batch->chunk);
}

/* --- the ring --- */

void tc_event_ring_init(struct tc_event_ring *ring, const struct tc_event_position *position)
{
	*ring = (struct tc_event_ring){.start.position = *position, .end.position = *position};
	tc_list_init(&ring->batches);
}

void tc_event_ring_deinit(struct tc_event_ring *ring)
{
	tc_event_batches_free(&ring->batches);
}

static void drop_oldest(struct tc_event_ring *ring)
{
	struct tc_event_batch *batch =
		tc_list_entry(tc_list_pop_front(&ring->batches), struct tc_event_batch, node);

	ring->start = batch->marks[batch->count - 1].place;
	ring->batches_count--;
	ring->count -= batch->count;
	ring->size -= tc_http_chunk_length(batch->chunk);
	tc_event_batch_free(batch);
}

void tc_event_ring_append(struct tc_event_ring *ring, struct tc_list *batches,
			  const struct tc_event_position *end)
{
	tc_list_each (node, batches) {
		struct tc_event_batch *batch = tc_list_entry(node, struct tc_event_batch, node);

		ring->batches_count++;
		ring->count += batch->count;
		ring->size += tc_http_chunk_length(batch->chunk);
	}
	tc_list_splice_back(&ring->batches, batches);
	ring->end.position = *end;
}

void tc_event_ring_trim(struct tc_event_ring *ring)
{
	while (ring->batches_count > TC_EVENT_RING_BATCHES_MAX || ring->count > RING_COUNT_MAX ||
	       ring->size > RING_SIZE_MAX)
		drop_oldest(ring);
}

static bool is_mark(const struct tc_event_batch *batch, const struct tc_event_place *place)
{
	unsigned next = find_next(batch, place);

	return next > 0 && tc_event_place_compare(&batch->marks[next - 1].place, place) == 0;
}

bool tc_event_ring_knows(const struct tc_event_ring *ring, const struct tc_event_place *place)
{
	if (tc_event_place_compare(place, &ring->start) == 0 ||
	    tc_event_place_compare(place, &ring->end) == 0)
		return true;
	tc_list_each (node, &ring->batches) {
		const struct tc_event_batch *batch =
			tc_list_entry(node, struct tc_event_batch, node);

		if (is_mark(batch, place))
			return true;
	}
	return false;
}

void tc_event_ring_restart(struct tc_event_ring *ring, const struct tc_event_position *end)
{
	tc_event_batches_free(&ring->batches);
	tc_event_ring_init(ring, end);
}
