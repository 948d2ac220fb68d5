/* base/thread.c: see thread.h. */
#include "base/thread.h"

#include "base/clock.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Deep enough for libpq, jansson and TLS; small, because a node has dozens of threads. */
#define STACK_SIZE ((size_t)256 * 1024)

static void check(int result, const char *call)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: %s\n", call, strerror(result)); /* a programming error: no way on */
	abort();
}

void tc_mutex_init(pthread_mutex_t *mutex)
{
	check(pthread_mutex_init(mutex, NULL), "pthread_mutex_init");
}

void tc_mutex_lock(pthread_mutex_t *mutex)
{
	check(pthread_mutex_lock(mutex), "pthread_mutex_lock");
}

void tc_mutex_unlock(pthread_mutex_t *mutex)
{
	check(pthread_mutex_unlock(mutex), "pthread_mutex_unlock");
}

void tc_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	check(pthread_condattr_init(&attributes), "pthread_condattr_init");
	check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), "pthread_condattr_setclock");
	check(pthread_cond_init(cond, &attributes), "pthread_cond_init");
	pthread_condattr_destroy(&attributes);
}

void tc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	check(pthread_cond_wait(cond, mutex), "pthread_cond_wait");
}

bool tc_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline_ms)
{
	struct timespec deadline = tc_clock_deadline(deadline_ms);
	int result = pthread_cond_timedwait(cond, mutex, &deadline);

	if (result == ETIMEDOUT)
		return false;
	check(result, "pthread_cond_timedwait");
	return true;
}

unsigned tc_thread_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores > 0 ? (unsigned)cores : 1;
}

int tc_thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *argument,
		    struct tocsin_error *error)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int result;

	check(pthread_attr_init(&attributes), "pthread_attr_init");
	check(pthread_attr_setstacksize(&attributes, STACK_SIZE), "pthread_attr_setstacksize");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits the blocked set */
	result = pthread_create(ret_thread, &attributes, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (result != 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot start thread %s: %s", name,
					strerror(result));
	pthread_setname_np(*ret_thread, name);
	return TOCSIN_OK;
}
