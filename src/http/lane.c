/* http/lane.c: see lane.h. */
#include "http/lane.h"

#include "base/thread.h"
#include "http/request.h"

void tc_http_lane_init(struct tc_http_lane *lane, unsigned max)
{
	tc_mutex_init(&lane->mutex);
	tc_list_init(&lane->waiting);
	lane->max = max;
	lane->under_way = 0;
	lane->is_over = false;
}

void tc_http_lane_deinit(struct tc_http_lane *lane)
{
	pthread_mutex_destroy(&lane->mutex);
}

void tc_http_lane_enter(struct tc_http_lane *lane, struct tc_http_request *request)
{
	bool must_wait;

	request->is_in_lane = true;
	tc_mutex_lock(&lane->mutex);
	must_wait = lane->under_way >= lane->max && !lane->is_over;
	if (must_wait)
		tc_list_push_back(&lane->waiting, &request->lane);
	else
		lane->under_way++;
	tc_mutex_unlock(&lane->mutex);
	if (!must_wait)
		tc_http_request_wake(request);
}

/* NULL: nobody waits. */
static struct tc_http_request *pop(struct tc_http_lane *lane)
{
	struct tc_list *node = tc_list_pop_front(&lane->waiting);

	return node ? tc_list_entry(node, struct tc_http_request, lane) : NULL;
}

void tc_http_lane_leave(struct tc_http_lane *lane)
{
	struct tc_http_request *next;

	tc_mutex_lock(&lane->mutex);
	next = pop(lane);
	if (!next)
		lane->under_way--;
	tc_mutex_unlock(&lane->mutex);
	if (next)
		tc_http_request_wake(next);
}

void tc_http_lane_end(struct tc_http_lane *lane)
{
	struct tc_http_request *next;

	do {
		tc_mutex_lock(&lane->mutex);
		lane->is_over = true;
		next = pop(lane);
		if (next)
			lane->under_way++;
		tc_mutex_unlock(&lane->mutex);
		if (next)
			tc_http_request_wake(next);
	} while (next);
}
