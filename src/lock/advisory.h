/* lock/advisory.h: the lock service on PostgreSQL, as its files see it. Private to lock/. */
#pragma once

#include "lock/internal.h"

struct tc_session_driver; /* session.c */

struct tc_advisory {
	struct tocsin_locks base;
	struct tocsin_locks_options options;
	struct tc_session_driver *driver; /* owned */
};

static inline struct tc_advisory *tc_advisory_from(struct tocsin_locks *locks)
{
	return (struct tc_advisory *)(void *)locks; /* base is the first member */
}

/* session.c: the thread and connection behind every session lock of a service. */
int tc_session_driver_new(struct tc_session_driver **ret_driver, struct tocsin_locks *locks,
			  struct tocsin_pool *lock_pool, struct tocsin_error *error);
struct tc_session_driver *tc_session_driver_free(struct tc_session_driver *driver);
int tc_session_driver_try(struct tc_session_driver *driver, struct tocsin_session *session,
			  struct tocsin_error *error);
void tc_session_driver_release(struct tc_session_driver *driver, struct tocsin_session *session);

/* fence.c: a work transaction fenced by every key in `held`. */
int tc_fence_work(struct tocsin_held *held, tocsin_work_fn work, void *userdata,
		  struct tocsin_error *error);
