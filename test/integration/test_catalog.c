/* test/integration/test_catalog.c: names that many want at once, and lists.
 *
 * How each was seen to fail: without the second question in catalog_change.c the losers of a name are told
 * no field; with an index that regards case several of them win. */
#include "modules/catalog/catalog.h"
#include "pg/query.h"
#include "support/crew.h"
#include "support/postgres.h"
#include "support/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct tocsin_pool *work_pool;

static int set_up(void **state)
{
	return tc_test_work_setup(state, 8, &work_pool);
}

static int tear_down(void **state)
{
	return tc_test_work_teardown(state, &work_pool);
}

static int clean(void **state)
{
	(void)state;
	return tc_test_clean("systems, catalog_groups, incidents, events");
}

/* --- names --- */

struct race {
	atomic_uint named; /* losers who were told the field */
};

static int register_one(void *argument, unsigned index, struct tocsin_error *error)
{
	static const char *const names[] = {"Database", "DATABASE", "database"};
	const struct tc_catalog_wish wish = {.name = names[index % TC_ARRAY_LENGTH(names)]};
	struct race *race = argument;
	const char *conflict = NULL;
	TC_BUFFER json = {0};
	int result = tc_catalog_create_system(work_pool, &wish, &json, &conflict, error);

	if (result == TOCSIN_E_EXISTS && conflict && strcmp(conflict, "name") == 0)
		race->named++;
	return result;
}

static void test_one_of_many_gets_a_name(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct race race = {0};
		struct tc_crew crew;

		tc_crew_init(&crew);
		tc_crew_start(&crew, 12, register_one, &race);
		tc_crew_join(&crew);
		assert_int_equal(tc_crew_count(&crew, TOCSIN_OK), 1);
		assert_int_equal(race.named, 11);
		tc_crew_deinit(&crew);
		assert_number("select count(*) from systems", 1);
		assert_number("select count(*) from events", 1);
		clean(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_of_many_gets_a_name, clean),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
