/* test_lock_contract.c: what tocsin/lock.h promises, checked of both services by the same code: the
 * one on PostgreSQL and the one in memory. (Nested keys: test_lock_contract_nested.c.)
 *
 * Seen to fail: without any lock, one at a time (2 inside) and most others; with the queue last in first
 * out, order; with one queue for all keys, independent; with the queue not left after an error, error
 * frees the next; with no deadline in the queue, bound; without the length check, keys. */
#include "support/postgres.h"
#include "support/service.h"
#include <string.h>

#define ROUNDS  40u
#define MEMBERS 16u

static void count_inside(struct tc_service *service)
{
	unsigned inside = atomic_fetch_add(&service->inside, 1) + 1;
	unsigned worst = atomic_load(&service->worst_inside);

	while (inside > worst &&
	       !atomic_compare_exchange_weak(&service->worst_inside, &worst, inside))
		;
	service->counter++; /* not atomic: the lock is what makes it right */
	atomic_fetch_sub(&service->inside, 1);
}

static int count_held(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	(void)held;
	(void)error;
	count_inside(userdata);
	return TOCSIN_OK;
}

static int count_work(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	(void)connection;
	(void)error;
	count_inside(userdata);
	return TOCSIN_OK;
}

static int count_in_turn(void *argument, unsigned index, struct tocsin_error *error)
{
	struct tc_service *service = argument;
	int result = TOCSIN_OK;

	for (unsigned i = 0; i < ROUNDS && result == TOCSIN_OK; i++) {
		if ((i + index) % 2)
			result =
				tocsin_lock_with(service->locks, "hot", count_held, service, error);
		else
			result = tocsin_lock_in_transaction(service->locks, "hot", count_work,
							    service, error);
	}
	return result;
}

/* Mechanism: the key itself, across forms. */
static void test_one_at_a_time(void **state)
{
	struct tc_service *service = *state;
	struct tc_crew crew;

	tc_crew_init(&crew);
	tc_crew_start(&crew, MEMBERS, count_in_turn, service);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(service->counter, MEMBERS * ROUNDS);
	assert_int_equal(service->worst_inside, 1);
	assert_int_equal(tc_locks_stats(service->locks).acquired, MEMBERS * ROUNDS);
}

struct place {
	struct tc_service *service;
	unsigned index;
};

static int note_place(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	const struct place *place = userdata;

	(void)held;
	(void)error;
	place->service->order[place->service->order_count++] = place->index;
	return TOCSIN_OK;
}

static int take_place(void *argument, unsigned index, struct tocsin_error *error)
{
	struct tc_service *service = argument;

	return tocsin_lock_with(service->locks, "hot", note_place, &(struct place){service, index},
				error);
}

/* Mechanism: the queue of a key is first in, first out. */
static void test_waiters_in_order(void **state)
{
	struct tc_service *service = *state;
	struct tc_crew holder, crew;
	struct tocsin_locks_stats stats;
	const unsigned count = 40;

	tc_service_start_holder(service, &holder);
	tc_crew_init(&crew);
	for (unsigned i = 0; i < count; i++) {
		tc_crew_start(&crew, 1, take_place, service);
		assert_true(tc_wait_for_key_waiters(service->locks, i + 1));
	}
	tc_service_finish_holder(service, &holder);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(service->order_count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(service->order[i], i);
	stats = tc_locks_stats(service->locks);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.acquired, count + 1);
	assert_int_equal(stats.waited, count);
	assert_int_equal(stats.timeouts, 0);
	assert_true(stats.wait_us > 0);
}

/* Mechanism: a queue a key. Were there one lock for all, the main thread would wait for ever. */
static void test_keys_are_independent(void **state)
{
	struct tc_service *service = *state;
	struct tocsin_session *session = NULL;
	struct tocsin_error error;
	struct tc_crew holder, waiters;

	tc_service_start_holder(service, &holder);
	tc_crew_init(&waiters);
	tc_crew_start(&waiters, MEMBERS, take_place, service);
	assert_true(tc_wait_for_key_waiters(service->locks, MEMBERS));
	assert_ok(tocsin_lock_with(service->locks, "cold", count_held, service, &error));
	assert_ok(tocsin_lock_in_transaction(service->locks, "cold", count_work, service, &error));
	assert_ok(tocsin_lock_try(service->locks, "cold", NULL, NULL, &session, &error));
	tocsin_session_free(session);
	assert_int_equal(service->counter, 2);
	tc_service_finish_holder(service, &holder);
	tc_crew_finish(&waiters, TOCSIN_OK);
}

static int fail_held(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	(void)held;
	(void)userdata;
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "no such system: %s", "db-7");
}

static int fail_work(struct tocsin_connection *connection, void *userdata,
		     struct tocsin_error *error)
{
	(void)connection;
	return fail_held(NULL, userdata, error);
}

static int fail_in_turn(void *argument, unsigned index, struct tocsin_error *error)
{
	struct tc_service *service = argument;

	if (index % 2)
		return tocsin_lock_with(service->locks, "hot", fail_held, service, error);
	return tocsin_lock_in_transaction(service->locks, "hot", fail_work, service, error);
}

/* Mechanism: the key is released on every way out, and the function's error is its caller's. */
static void test_error_frees_the_next(void **state)
{
	struct tc_service *service = *state;
	struct tocsin_error error;
	struct tc_crew holder, crew;

	tc_service_start_holder(service, &holder);
	tc_crew_init(&crew);
	tc_crew_start(&crew, MEMBERS, fail_in_turn, service);
	assert_true(tc_wait_for_key_waiters(service->locks, MEMBERS));
	tc_service_finish_holder(service, &holder);
	tc_crew_join(&crew);
	for (unsigned i = 0; i < crew.count; i++)
		assert_string_equal(crew.members[i].error.message, "no such system: db-7");
	tc_crew_finish(&crew, TOCSIN_E_NOT_FOUND);
	assert_ok(tocsin_lock_with(service->locks, "hot", count_held, service, &error));
	assert_ok(tocsin_lock_in_transaction(service->locks, "hot", count_work, service, &error));
}

/* Mechanism: the deadline of a wait. */
static void test_wait_has_a_bound(void **state)
{
	struct tc_service *service = *state;
	struct tocsin_error error;
	struct tc_crew holder;
	uint64_t before_ms = tc_test_clock_ms();

	tc_service_start_holder(service, &holder);
	assert_code(tocsin_lock_with(service->locks, "hot", count_held, service, &error),
		    TOCSIN_E_LOCK_TIMEOUT);
	assert_contains(error.message, "hot");
	assert_true(tocsin_error_is_retryable(error.code));
	assert_code(tocsin_lock_in_transaction(service->locks, "hot", count_work, service, &error),
		    TOCSIN_E_LOCK_TIMEOUT);
	assert_true(tc_test_clock_ms() - before_ms >= TC_HASTY_MS); /* clocks round */
	assert_true(tc_test_clock_ms() - before_ms < TC_PATIENCE_MS / 4);
	assert_int_equal(service->counter, 0);
	assert_int_equal(tc_locks_stats(service->locks).timeouts, 2);
	assert_int_equal(tc_locks_stats(service->locks).waiting, 0);
	tc_service_finish_holder(service, &holder);
	assert_ok(tocsin_lock_with(service->locks, "hot", count_held, service, &error));
}

static void never_lost(struct tocsin_session *session, void *userdata)
{
	atomic_uint *calls = userdata;

	(void)session;
	atomic_fetch_add(calls, 1);
}

/* Mechanism: session locks are tried, not waited for, and exclude every other form. */
static void test_try(void **state)
{
	struct tc_service *service = *state;
	struct tocsin_session *session = NULL, *second = NULL;
	struct tocsin_error error;
	struct tc_crew holder;
	atomic_uint lost = 0;

	tc_service_start_holder(service, &holder);
	assert_code(tocsin_lock_try(service->locks, "hot", never_lost, &lost, &session, &error),
		    TOCSIN_E_LOCK_BUSY);
	assert_contains(error.message, "hot");
	assert_null(session);
	tc_service_finish_holder(service, &holder);

	for (unsigned round = 0; round < 3; round++) {
		assert_ok(tocsin_lock_try(service->locks, "hot", never_lost, &lost, &session,
					  &error));
		assert_true(tocsin_session_is_held(session));
		assert_int_equal(tc_locks_stats(service->locks).sessions, 1);
		assert_code(tocsin_lock_try(service->locks, "hot", NULL, NULL, &second, &error),
			    TOCSIN_E_LOCK_HELD);
		assert_contains(error.message, "hot");
		assert_null(second);
		assert_code(tocsin_lock_with(service->locks, "hot", count_held, service, &error),
			    TOCSIN_E_LOCK_TIMEOUT);
		tocsin_session_release(session);
		assert_false(tocsin_session_is_held(session));
		assert_ok(tocsin_lock_try(service->locks, "hot", NULL, NULL, &second, &error));
		tocsin_session_release(session); /* harmless: the key is the second's now */
		assert_true(tocsin_session_is_held(second));
		assert_code(tocsin_lock_with(service->locks, "hot", count_held, service, &error),
			    TOCSIN_E_LOCK_TIMEOUT);
		session = tocsin_session_free(session);
		assert_true(tocsin_session_is_held(second));
		second = tocsin_session_free(second);
		assert_int_equal(tc_locks_stats(service->locks).sessions, 0);
		assert_ok(tocsin_lock_with(service->locks, "hot", count_held, service, &error));
	}
	assert_null(tocsin_session_free(NULL));
	assert_int_equal(lost, 0);
}

struct nesting {
	const char *key;
	int result;
};

static int nest_key(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct nesting *nesting = userdata;

	nesting->result = tocsin_lock_nest(held, nesting->key, tc_held_nothing, NULL, error);
	return TOCSIN_OK;
}

static void check_key(struct tc_service *service, const char *key, int code)
{
	struct tocsin_session *session = NULL;
	struct nesting nesting = {.key = key};
	struct tocsin_error error;

	assert_code(tocsin_lock_with(service->locks, key, count_held, service, &error), code);
	assert_code(tocsin_lock_in_transaction(service->locks, key, count_work, service, &error),
		    code);
	assert_code(tocsin_lock_try(service->locks, key, NULL, NULL, &session, &error), code);
	tocsin_session_free(session);
	assert_ok(tocsin_lock_with(service->locks, "outer", nest_key, &nesting, &error));
	assert_int_equal(nesting.result, code);
}

static void test_keys(void **state)
{
	struct tc_service *service = *state;
	char key[TOCSIN_LOCK_KEY_MAX + 2];

	memset(key, 'k', sizeof(key) - 1);
	key[TOCSIN_LOCK_KEY_MAX + 1] = '\0';
	check_key(service, key, TOCSIN_E_INVALID);
	key[TOCSIN_LOCK_KEY_MAX] = '\0';
	check_key(service, key, TOCSIN_OK);
	check_key(service, "", TOCSIN_E_INVALID);
	check_key(service, "incident.dedupe-open-for-system:'; drop table x; --", TOCSIN_OK);
	check_key(service, "\xc3\xbc\xf0\x9f\x94\x94", TOCSIN_OK);
}

static int see_connection(struct tocsin_connection *connection, void *userdata,
			  struct tocsin_error *error)
{
	struct tc_service *service = userdata;

	if ((connection != NULL) != service->has_database)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM,
					"a connection where none is due, or none");
	count_inside(service);
	return TOCSIN_OK;
}

static int work_twice(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	int result = tocsin_lock_work(held, see_connection, userdata, error);

	if (result == TOCSIN_OK)
		result = tocsin_lock_work(held, see_connection, userdata, error);
	if (result == TOCSIN_OK &&
	    tocsin_lock_work(held, fail_work, userdata, error) != TOCSIN_E_NOT_FOUND)
		result = tocsin_error_set(error, TOCSIN_E_SYSTEM, "the work's error is lost");
	return result;
}

static void test_work(void **state)
{
	struct tc_service *service = *state;
	struct tocsin_error error;

	assert_ok(tocsin_lock_with(service->locks, "hot", work_twice, service, &error));
	assert_ok(
		tocsin_lock_in_transaction(service->locks, "hot", see_connection, service, &error));
	assert_int_equal(service->counter, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tc_test_both(test_one_at_a_time),
		tc_test_both(test_waiters_in_order),
		tc_test_both(test_keys_are_independent),
		tc_test_both(test_error_frees_the_next),
		tc_test_both_hasty(test_wait_has_a_bound),
		tc_test_both_hasty(test_try),
		tc_test_both(test_keys),
		tc_test_both(test_work),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
