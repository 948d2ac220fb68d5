/* support/service.h: a lock service of either kind as the state of a test, and the table macro that
 * runs one test against both. */
#pragma once

#include "support/crew.h"
#include "support/node.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

/* The wait timeout of a hasty service. */
#define TC_HASTY_MS 300u

struct tc_service {
	struct tocsin_locks *locks;
	struct tc_node node; /* if has_database */
	bool has_database;
	struct tc_gate is_held, may_leave, is_ready;

	unsigned order[64], order_count; /* guarded by the key under test, on purpose */
	unsigned counter;                /* likewise */
	atomic_uint inside, worst_inside;
};

int tc_service_set_up_database(void **state);
int tc_service_set_up_memory(void **state);
int tc_service_set_up_database_hasty(void **state);
int tc_service_set_up_memory_hasty(void **state);
int tc_service_tear_down(void **state);

/* Two rows of a cmocka table: `test` on PostgreSQL and in memory. */
#define tc_test_both(test)                                                                         \
	{#test " on PostgreSQL", test, tc_service_set_up_database, tc_service_tear_down, NULL},    \
	{                                                                                          \
#test " in memory", test, tc_service_set_up_memory, tc_service_tear_down, NULL     \
	}
/* The same with a short wait timeout. */
#define tc_test_both_hasty(test)                                                                   \
	{#test " on PostgreSQL", test, tc_service_set_up_database_hasty, tc_service_tear_down,     \
	 NULL},                                                                                    \
	{                                                                                          \
#test " in memory", test, tc_service_set_up_memory_hasty, tc_service_tear_down,    \
			NULL                                                                       \
	}

/* A tocsin_held_fn that signals is_held and waits for may_leave. */
int tc_held_stay(struct tocsin_held *held, void *service, struct tocsin_error *error);

/* Starts a thread that holds key "hot" until may_leave is signalled; returns when it does. */
void tc_service_start_holder(struct tc_service *service, struct tc_crew *crew);
/* Lets the holder go and joins it. */
void tc_service_finish_holder(struct tc_service *service, struct tc_crew *crew);
