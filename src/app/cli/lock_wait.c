/* app/cli/lock_wait.c: see lock_wait.h.
 *
 * A session lock is only ever tried; waiting is done by the transaction lock of the same key, in the
 * server's own queue, so nothing polls. Between letting that go and trying, another waiter's instant
 * with the key could make the try fail, and two could do so to each other for ever. So waiters pass
 * a turnstile: who holds KEY's turnstile waits for the key, lets it go, and tries it, while no other
 * waiter is near. The try runs on a thread of its own, because the thread inside the turnstile
 * has a lock connection already and may not take another. */
#include "app/cli/lock_wait.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/memory.h"
#include "base/thread.h"
#include <string.h>

#define TURNSTILE_PREFIX "tocsin.turnstile:"
/* One wait in the server; a longer one is several, so that a server that fell silent is noticed. */
#define ROUND_MS 300000u

TC_DEFINE_CLEANUP(struct tocsin_locks *, tocsin_locks_free);

struct turn {
	struct tocsin_locks *locks; /* of the session */
	const struct tc_lock_wait *wait;
	struct tocsin_session *session;
	struct tocsin_error error;
	int result;
};

static int try(struct turn *turn)
{
	turn->result = tocsin_lock_try(turn->locks, turn->wait->key, turn->wait->lost,
				       turn->wait->userdata, &turn->session, &turn->error);
	return turn->result;
}

static void *run_try(void *argument)
{
	try(argument);
	return NULL;
}

static int do_nothing(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	(void)held;
	(void)userdata;
	(void)error;
	return TOCSIN_OK;
}

static int pass_turnstile(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct turn *turn = userdata;
	pthread_t thread;
	int result = tocsin_lock_nest(held, turn->wait->key, do_nothing, NULL, error);

	if (result == TOCSIN_OK)
		result = tc_thread_start(&thread, "lock-try", run_try, turn, error);
	if (result == TOCSIN_OK)
		pthread_join(thread, NULL);
	return result;
}

/* One round of waiting; on success turn->result is what trying said. */
static int wait_round(struct turn *turn, unsigned round_ms, struct tocsin_error *error)
{
	TC_CLEANUP(tocsin_locks_free) struct tocsin_locks *waiter = NULL;
	TC_FREE char *turnstile = NULL;
	struct tocsin_locks_options options = {.lock_pool = turn->wait->pool,
					       .wait_timeout_ms = round_ms};
	int result;

	if (asprintf(&turnstile, TURNSTILE_PREFIX "%s", turn->wait->key) < 0) {
		turnstile = NULL;
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	}
	result = tocsin_locks_new(&waiter, &options, error);
	if (result == TOCSIN_OK)
		result = tocsin_lock_with(waiter, turnstile, pass_turnstile, turn, error);
	return result;
}

int tc_lock_wait(struct tocsin_locks *locks, const struct tc_lock_wait *wait,
		 struct tocsin_session **ret_session, struct tocsin_error *error)
{
	struct turn turn = {.locks = locks, .wait = wait};
	uint64_t deadline_ms = tc_clock_ms() + wait->timeout_ms;

	try(&turn);
	while (turn.result == TOCSIN_E_LOCK_BUSY && wait->is_patient) {
		uint64_t left_ms =
			wait->has_timeout ? tc_clock_remaining_ms(deadline_ms) : ROUND_MS;
		int result;

		if (left_ms == 0)
			return tocsin_error_set(error, TOCSIN_E_LOCK_TIMEOUT,
						"the key '%s' did not come free in time",
						wait->key);
		result = wait_round(&turn, (unsigned)TC_MIN(left_ms, ROUND_MS), error);
		/* The end of a round is not the end of the wait; the clock above decides. */
		if (result != TOCSIN_OK && result != TOCSIN_E_LOCK_TIMEOUT)
			return result;
	}
	if (turn.result != TOCSIN_OK) {
		if (error)
			*error = turn.error;
		return turn.result;
	}
	*ret_session = turn.session;
	return TOCSIN_OK;
}
