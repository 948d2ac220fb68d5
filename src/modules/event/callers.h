/* modules/event/callers.h: how many streams each caller has open, so that none takes them all.
 *
 * A caller is a text: the id of a key or a user, or a client's address. There are never more than the streams
 * that are open, which their owner bounds.
 *
 * Threads: any; nothing blocks but for a mutex held for moments. */
#pragma once

#include "base/macro.h"
#include <tocsin/error.h>

#define TC_EVENT_CALLER_SIZE 64

struct tc_event_callers;
struct tc_event_caller; /* one stream's share; given back by leave */

/* `max` streams a caller. */
int tc_event_callers_new(struct tc_event_callers **ret_callers, unsigned max,
			 struct tocsin_error *error);
/* When all have left. NULL allowed, returns NULL. */
struct tc_event_callers *tc_event_callers_free(struct tc_event_callers *callers);
TC_DEFINE_CLEANUP(struct tc_event_callers *, tc_event_callers_free);

/* One stream more of `name`, which is cut at TC_EVENT_CALLER_SIZE. FULL: it has as many as it may; NOMEM. */
int tc_event_callers_enter(struct tc_event_callers *callers, const char *name,
			   struct tc_event_caller **ret_caller, struct tocsin_error *error);
void tc_event_callers_leave(struct tc_event_callers *callers, struct tc_event_caller *caller);
