/* Tests of http/lane.h, with connections that only note when they are woken.
 *
 * How each was seen to fail: with no bound in tc_http_lane_enter all twenty are awake at once; without the pop in
 * tc_http_lane_leave nobody follows. */
#include "unit.h"

#include "http/request.h"

#define REQUESTS 20u
#define MAX      3u

static struct tc_http_request requests[REQUESTS];
static const struct tc_http_request *woken[REQUESTS];
static unsigned woken_count;

/* In place of the one in request.c. */
void tc_http_request_wake(struct tc_http_request *request)
{
	assert_in_range(woken_count, 0, REQUESTS - 1);
	woken[woken_count++] = request;
}

static void enter_all(struct tc_http_lane *lane)
{
	woken_count = 0;
	tc_http_lane_init(lane, MAX);
	for (unsigned i = 0; i < REQUESTS; i++) {
		tc_list_init(&requests[i].lane);
		tc_http_lane_enter(lane, &requests[i]);
	}
	assert_int_equal(woken_count, MAX);
}

static void assert_woken_in_order(unsigned count)
{
	assert_int_equal(woken_count, count);
	for (unsigned i = 0; i < count; i++)
		assert_ptr_equal(woken[i], &requests[i]);
}

/* Each that leaves lets one in, in the order they came. */
static void test_few_at_a_time_in_order(void **state)
{
	struct tc_http_lane lane;

	(void)state;
	enter_all(&lane);
	for (unsigned left = 1; left <= REQUESTS; left++) {
		tc_http_lane_leave(&lane);
		assert_int_equal(woken_count, left + MAX < REQUESTS ? left + MAX : REQUESTS);
	}
	assert_woken_in_order(REQUESTS);
	assert_int_equal(lane.under_way, 0);
	tc_http_lane_deinit(&lane);
}

/* When the server stops nobody is left asleep, nor put to sleep any more. */
static void test_end_wakes_all(void **state)
{
	struct tc_http_lane lane;

	(void)state;
	enter_all(&lane);
	tc_http_lane_end(&lane);
	assert_woken_in_order(REQUESTS);
	woken_count = 0;
	for (unsigned i = 0; i < REQUESTS; i++)
		tc_http_lane_enter(&lane, &requests[i]);
	assert_woken_in_order(REQUESTS);
	tc_http_lane_deinit(&lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_at_a_time_in_order),
		cmocka_unit_test(test_end_wakes_all),
	};

	return cmocka_run_group_tests_name("http lane", tests, NULL, NULL);
}
