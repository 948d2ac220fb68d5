/* Tests of modules/event/ring.h.
 *
 * How it was seen to fail: with a ring bounded by its events and bytes only, it held 8,192 batches of one event each; and a
 * server (whose queues had 64 places, to have it soon) cut off every stream that came back for 150 of them, as often as it
 * came. */
#include "unit.h"

#include "modules/event/ring.h"
#include <stdio.h>

#define EVENTS (4 * TC_HTTP_STREAM_PIECES_MAX)

static struct tc_event_position at(unsigned number)
{
	return (struct tc_event_position){.transaction = 1000 + number, .sequence = number};
}

/* As an outbox does that finds one event at each look. */
static void append(struct tc_event_ring *ring, unsigned number)
{
	static const struct tc_event_place start = {0};
	const struct tc_event event = {
		.position = at(number), .kind = "incident.lifecycle.changed", .lifecycle = "{}"};
	struct tc_list batches;

	tc_list_init(&batches);
	assert_true(tc_event_batches_make(&event, 1, &start, &batches));
	tc_event_ring_append(ring, &batches, &event.position);
	tc_event_ring_trim(ring);
}

static unsigned count_batches(const struct tc_event_ring *ring)
{
	unsigned count = 0;

	tc_list_each (node, &ring->batches)
		count++;
	return count;
}

/* What the ring holds goes to a stream that begins, at once, behind a greeting. */
static void test_it_fits_into_the_queue_of_a_stream(void **state)
{
	const struct tc_event_position origin = at(0);
	struct tc_event_place oldest = {0};
	struct tc_event_ring ring;
	unsigned count;

	(void)state;
	tc_event_ring_init(&ring, &origin);
	for (unsigned i = 1; i <= EVENTS; i++)
		append(&ring, i);
	count = count_batches(&ring);
	assert_in_range(count, 1, TC_HTTP_STREAM_PIECES_MAX - 1);
	/* It is whole, from where it says that it begins. */
	oldest.position = at(EVENTS - count);
	assert_int_equal(tc_event_place_compare(&ring.start, &oldest), 0);
	oldest.position = at(EVENTS);
	assert_int_equal(tc_event_place_compare(&ring.end, &oldest), 0);
	tc_event_ring_deinit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_fits_into_the_queue_of_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
