/* test/support/schema.h: a cluster of the test's own with Tocsin's schema, for programs that try modules. As group
 * set-ups they print what went wrong and return -1; main thread. */
#pragma once

#include <tocsin/pool.h>

/* As tc_test_postgres_setup, whose teardown undoes both, and every migration. Blocks until all is there. */
int tc_test_schema_setup(void **state);

/* The same, and a pool named "work" of so many connections, whose waits have TC_PATIENCE_MS. */
int tc_test_work_setup(void **state, unsigned connections, struct tocsin_pool **ret_pool);
/* Frees the pool, sets it to NULL, and undoes the rest. NULL pools are allowed. */
int tc_test_work_teardown(void **state, struct tocsin_pool **pool);

/* Empties tables ("incidents, events") and what refers to them; 0, as set-ups of one test answer. Fails that test if it
 * cannot. */
int tc_test_clean(const char *tables);
