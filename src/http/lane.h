/* http/lane.h: the slow lane: answers that let others go first.
 *
 * Model. The library serves ready connections in turn: an answer that becomes ready behind five hundred others
 * waits for all of them. So of answers that come by the hundred, to the followers of a storm, a few are with the
 * library at a time; the rest wait here, in order, and each that is taken up by its connection's thread lets the
 * next one in. What does not come by the lane waits for those few only: the queue is kept where one can choose
 * from it.
 *
 * A request in the lane is answered and asleep: nobody else acts on it. No client can hold the lane up: a place
 * is given back when the answer is taken up, or its connection is found closed, not when it has been read.
 *
 * Threads: any; nothing blocks. Private to http/. */
#pragma once

#include "base/list.h"
#include <pthread.h>
#include <stdbool.h>

/* Answers with the library at a time: one under way and one to go on with. */
#define TC_HTTP_LANE_PER_THREAD 2u

struct tc_http_request;

struct tc_http_lane {
	pthread_mutex_t mutex; /* all of it; not held while the library is called */
	struct tc_list waiting;
	unsigned max, under_way;
	bool is_over; /* nothing waits any more */
};

/* `max` under way at a time. */
void tc_http_lane_init(struct tc_http_lane *lane, unsigned max);
void tc_http_lane_deinit(struct tc_http_lane *lane);
/* Wakes the connection of an answered, sleeping request in its turn. */
void tc_http_lane_enter(struct tc_http_lane *lane, struct tc_http_request *request);
/* One that came by the lane is taken up by its connection, or the connection is found closed. */
void tc_http_lane_leave(struct tc_http_lane *lane);
/* Wakes all who wait, and from now on everybody at once: the server stops. */
void tc_http_lane_end(struct tc_http_lane *lane);
