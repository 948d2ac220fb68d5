/* core/outbox/hints.h: NOTIFY as a hint to look. One connection a node LISTENs on channel "tocsin"; payloads
 * are "topic" or "topic:detail". A hint may be lost (connection down): whoever relies on hints must ask
 * tc_hints_is_connected, whose answer is false from the loss until LISTEN is in force again, and must
 * look for itself after a reconnect (subscribers are called with detail NULL then). Of several hosts each has its turn.
 *
 * Threads: any, but for making and freeing. Only freeing blocks. */
#pragma once

#include <stdbool.h>
#include <tocsin/error.h>

struct tc_hints;
typedef void (*tc_hint_fn)(const char *detail, void *userdata);

/* Starts the listener thread; connecting happens there, with backoff. */
int tc_hints_new(struct tc_hints **ret_hints, const char *conninfo, struct tocsin_error *error);
/* Called on the listener thread; subscribe before traffic; at most 16. */
int tc_hints_subscribe(struct tc_hints *hints, const char *topic, tc_hint_fn hint, void *userdata,
		       struct tocsin_error *error);
bool tc_hints_is_connected(const struct tc_hints *hints);
/* Joins the thread, which does not wait for the network: subscribers are not called any more. NULL allowed, returns NULL. */
struct tc_hints *tc_hints_free(struct tc_hints *hints);
