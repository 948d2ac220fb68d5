/* base/thread.h: mutexes held for a scope, condition variables on the monotonic clock, threads.
 *
 * pthread_mutex_lock and friends fail only for programming errors; those abort. */
#pragma once

#include "base/macro.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/error.h>

void tc_mutex_init(pthread_mutex_t *mutex);
void tc_mutex_lock(pthread_mutex_t *mutex);
void tc_mutex_unlock(pthread_mutex_t *mutex);

static inline void tc_mutex_unlock_cleanup(pthread_mutex_t **mutex)
{
	if (*mutex)
		tc_mutex_unlock(*mutex);
}

/* Locks `mutex` until the end of the enclosing scope. */
#define TC_LOCKED(mutex)                                                                           \
	__attribute__((cleanup(tc_mutex_unlock_cleanup), unused)) pthread_mutex_t *tc_locked =     \
		(tc_mutex_lock(mutex), (mutex))

/* A condition variable whose timed waits use the monotonic clock. */
void tc_cond_init(pthread_cond_t *cond);
void tc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
/* False when the monotonic `deadline_ms` (see tc_clock_ms) passed. */
bool tc_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline_ms);

/* The processor's cores that are on; 1 if that cannot be told. */
unsigned tc_thread_cores(void);

/* Starts a named thread with a small stack and every signal blocked (the main thread handles
 * signals). `name` has at most 15 bytes. The caller joins it. */
int tc_thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *argument,
		    struct tocsin_error *error);
