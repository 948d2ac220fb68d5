/* core/outbox/notify.h: NOTIFY as a coalesced hint, sent after commits.
 *
 * Model. A NOTIFY inside a writing transaction makes all commits of the database wait for each other. So a
 * thread of the node sends it on its own: at most one is under way, however many ask; those who ask
 * meanwhile share the next one. Between two there are TC_NOTIFY_PACE_MS; the first of a quiet time goes at once.
 * One that fails is not sent again: hints may be lost, and every reader also looks by itself. */
#pragma once

#include <stdint.h>
#include <tocsin/pool.h>

#define TC_NOTIFY_PACE_MS 20u

struct tc_notify;

/* `pool` is borrowed; `payload` is copied: "topic" or "topic:detail" (core/outbox/hints.h). Starts the thread. */
int tc_notify_new(struct tc_notify **ret_notify, struct tocsin_pool *pool, const char *payload,
		  struct tocsin_error *error);
/* Sends what is asked for, joins the thread. NULL allowed, returns NULL. */
struct tc_notify *tc_notify_free(struct tc_notify *notify);
/* Asks for one. Any thread; does not block. */
void tc_notify_request(struct tc_notify *notify);
uint64_t tc_notify_sent(struct tc_notify *notify);
