/* test_lock_contract.c: what tocsin/lock.h promises, checked of both services by the same code: the
 * one on PostgreSQL and the one in memory. Every test gets a service as its state and knows no more. */
#include "support/crew.h"
#include "support/node.h"
#include "support/postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHORT_MS 300u

struct service {
	struct tocsin_locks *locks;
	struct tc_node node;
	bool has_database;
	unsigned wait_timeout_ms; /* 0: patience */

	struct tc_gate is_held, may_leave, is_ready;
	unsigned order[64];
	unsigned order_count; /* guarded by the key under test, on purpose */
	unsigned counter;     /* likewise */
	atomic_uint inside, worst_inside;
};

static int set_up(void **state, bool has_database, unsigned wait_timeout_ms)
{
	static struct service service;
	struct tocsin_error error;

	service =
		(struct service){.has_database = has_database, .wait_timeout_ms = wait_timeout_ms};
	tc_gate_init(&service.is_held);
	tc_gate_init(&service.may_leave);
	tc_gate_init(&service.is_ready);
	if (has_database) {
		tc_node_init(&service.node, tc_test_conninfo(), "contract",
			     &(struct tc_node_options){.wait_timeout_ms = wait_timeout_ms});
		service.locks = service.node.locks;
	} else {
		assert_ok(tocsin_locks_new_memory(
			&service.locks, wait_timeout_ms ? wait_timeout_ms : TC_PATIENCE_MS,
			&error));
	}
	*state = &service;
	return 0;
}

static int set_up_database(void **state)
{
	return set_up(state, true, 0);
}

static int set_up_memory(void **state)
{
	return set_up(state, false, 0);
}

static int set_up_database_hasty(void **state)
{
	return set_up(state, true, SHORT_MS);
}

static int set_up_memory_hasty(void **state)
{
	return set_up(state, false, SHORT_MS);
}

static int tear_down(void **state)
{
	struct service *service = *state;

	if (service->has_database)
		tc_node_deinit(&service->node);
	else
		tocsin_locks_free(service->locks);
	tc_gate_deinit(&service->is_held);
	tc_gate_deinit(&service->may_leave);
	tc_gate_deinit(&service->is_ready);
	return 0;
}

/* --- what runs under locks --- */

static int do_nothing(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	(void)held;
	(void)userdata;
	(void)error;
	return TOCSIN_OK;
}

static int stay(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct service *service = userdata;

	(void)held;
	tc_gate_signal(&service->is_held);
	if (!tc_gate_wait(&service->may_leave, 1))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "nobody let the holder go");
	return TOCSIN_OK;
}

static int hold_hot(void *argument, unsigned index, struct tocsin_error *error)
{
	struct service *service = argument;

	(void)index;
	return tocsin_lock_with(service->locks, "hot", stay, service, error);
}

static void start_holder(struct service *service, struct tc_crew *crew)
{
	tc_crew_init(crew);
	tc_crew_start(crew, 1, hold_hot, service);
	assert_true(tc_gate_wait(&service->is_held, 1));
}

static void count_inside(struct service *service)
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

/* --- the contract --- */

#define ROUNDS  40u
#define MEMBERS 16u

static int count_in_turn(void *argument, unsigned index, struct tocsin_error *error)
{
	struct service *service = argument;
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
	struct service *service = *state;
	struct tc_crew crew;

	tc_crew_init(&crew);
	tc_crew_start(&crew, MEMBERS, count_in_turn, service);
	tc_crew_finish(&crew, TOCSIN_OK);
	assert_int_equal(service->counter, MEMBERS * ROUNDS);
	assert_int_equal(service->worst_inside, 1);
	assert_int_equal(tc_locks_stats(service->locks).acquired, MEMBERS * ROUNDS);
}

static int note_order(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct service *service = userdata;

	(void)held;
	(void)error;
	service->order_count++;
	return TOCSIN_OK;
}

static int take_in_order(void *argument, unsigned index, struct tocsin_error *error)
{
	struct service *service = argument;
	int result;

	/* Each member notes its place while it holds the key. */
	struct place {
		struct service *service;
		unsigned index;
	};
	(void)sizeof(struct place);
	result = tocsin_lock_with(service->locks, "hot", note_order, service, error);
	(void)index;
	return result;
}
