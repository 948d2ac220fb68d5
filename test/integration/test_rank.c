/* test_rank.c: circular acquisition fails at once, naming both pools, whatever the build.
 *
 * Mechanism: the ranks that a thread carries (src/pg/rank.c). Built twice, against the library as
 * configured and against one with NDEBUG, because an assertion would vanish from the second.
 *
 * Seen to fail: with tc_rank_check always content, all but "threads are apart" (calls succeed, or wait);
 * with an assertion in its place, the NDEBUG build in the same way; with the check after the key's
 * queue instead of before it, "in work while held" (it waits for the holder). */
#include "support/crew.h"
#include "support/node.h"
#include "support/postgres.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct tc_node node, other;
};

/* One connection a pool and two minutes of patience: without ranks each of these calls would
 * wait; "at once" is a tenth of that. */
static const struct tc_node_options narrow = {.lock_max = 1, .work_max = 1};

static int set_up(void **state)
{
	static struct fixture fixture;

	tc_node_init(&fixture.node, tc_test_conninfo(), "first", &narrow);
	tc_node_init(&fixture.other, tc_test_conninfo(), "second", &narrow);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	tc_node_deinit(&fixture->node);
	tc_node_deinit(&fixture->other);
	return 0;
}

/* Holding a connection of `held`, asks for one of `wanted`. */
static void check_refused(struct tocsin_pool *held, struct tocsin_pool *wanted,
			  const char *held_name, const char *wanted_name)
{
	struct tocsin_connection *first = NULL, *second = NULL;
	struct tocsin_error error;
	uint64_t before_ms;

	assert_ok(tocsin_pool_acquire(held, &first, &error));
	before_ms = tc_test_clock_ms();
	assert_code(tocsin_pool_acquire(wanted, &second, &error), TOCSIN_E_RANK);
	assert_true(tc_test_clock_ms() - before_ms < TC_PATIENCE_MS / 10);
	assert_int_equal(error.code, TOCSIN_E_RANK);
	assert_contains(error.message, held_name);
	assert_contains(error.message, wanted_name);
	assert_null(second);
	assert_false(tocsin_error_is_retryable(error.code));
	tocsin_pool_release(first);

	/* The refused call left no rank behind. */
	assert_ok(tocsin_pool_acquire(wanted, &second, &error));
	tocsin_pool_release(second);
	assert_int_equal(tc_pool_stats(held).in_use, 0);
	assert_int_equal(tc_pool_stats(wanted).in_use, 0);
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	struct tc_node *node = &fixture->node, *other = &fixture->other;

	check_refused(node->work_pool, node->lock_pool, "first-work", "first-lock");
	check_refused(node->work_pool, node->work_pool, "first-work", "first-work");
	check_refused(node->lock_pool, node->lock_pool, "first-lock", "first-lock");
	/* The order is one of purposes: a second pool of the same purpose is no way round it. */
	check_refused(node->work_pool, other->work_pool, "first-work", "second-work");
	check_refused(node->work_pool, other->lock_pool, "first-work", "second-lock");
	check_refused(node->lock_pool, other->lock_pool, "first-lock", "second-lock");
}

static void test_allowed(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_connection *lock = NULL, *work = NULL;
	struct tocsin_error error;

	for (int released_first = 0; released_first < 2; released_first++) {
		assert_ok(tocsin_pool_acquire(fixture->node.lock_pool, &lock, &error));
		assert_ok(tocsin_pool_acquire(fixture->node.work_pool, &work, &error));
		tocsin_pool_release(released_first ? lock : work);
		if (released_first) /* still holding work: locks stay refused */
			assert_code(tocsin_pool_acquire(fixture->node.lock_pool, &lock, &error),
				    TOCSIN_E_RANK);
		tocsin_pool_release(released_first ? work : lock);
	}
}

static int hold_work(void *argument, unsigned index, struct tocsin_error *error)
{
	struct fixture *fixture = argument;
	struct tocsin_connection *work = NULL;
	int result = tocsin_pool_acquire(fixture->other.work_pool, &work, error);

	(void)index;
	tocsin_pool_release(work);
	return result;
}

/* An operation is a thread: what one holds does not bind another. */
static void test_threads_are_apart(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_connection *work = NULL;
	struct tocsin_error error;
	struct tc_crew crew;

	assert_ok(tocsin_pool_acquire(fixture->node.work_pool, &work, &error));
	tc_crew_init(&crew);
	tc_crew_start(&crew, 1, hold_work, fixture);
	tc_crew_finish(&crew, TOCSIN_OK);
	tocsin_pool_release(work);
}

/* The forms of tocsin/lock.h, called from where they would close a circle. */
static int work_that_locks(struct tocsin_connection *connection, void *userdata,
			   struct tocsin_error *error)
{
	struct tc_node *node = userdata;

	(void)connection;
	return tocsin_lock_with(node->locks, "inner", tc_held_nothing, NULL, error);
}

static int work_that_locks_in_transaction(struct tocsin_connection *connection, void *userdata,
					  struct tocsin_error *error)
{
	struct tc_node *node = userdata;

	(void)connection;
	return tocsin_lock_in_transaction(node->locks, "inner", tc_work_nothing, NULL, error);
}

static int work_that_tries(struct tocsin_connection *connection, void *userdata,
			   struct tocsin_error *error)
{
	struct tc_node *node = userdata;
	struct tocsin_session *session = NULL;
	int result = tocsin_lock_try(node->locks, "inner", NULL, NULL, &session, error);

	(void)connection;
	tocsin_session_free(session);
	return result;
}

static int work_that_works(struct tocsin_connection *connection, void *userdata,
			   struct tocsin_error *error)
{
	struct tc_node *node = userdata;

	(void)connection;
	return tocsin_pool_transact(node->work_pool, tc_work_nothing, NULL, error);
}

static const struct {
	const char *what;
	tocsin_work_fn work;
	const char *wanted;
} circles[] = {
	{"a lock in work", work_that_locks, "first-lock"},
	{"a lock in transaction in work", work_that_locks_in_transaction, "first-lock"},
	{"a session lock in work", work_that_tries, "first-lock"},
	{"work in work", work_that_works, "first-work"},
};

static void check_circles(struct fixture *fixture)
{
	struct tocsin_error error;

	for (size_t i = 0; i < sizeof(circles) / sizeof(circles[0]); i++) {
		uint64_t before_ms = tc_test_clock_ms();

		print_message("%s\n", circles[i].what);
		assert_code(tocsin_pool_transact(fixture->node.work_pool, circles[i].work,
						 &fixture->node, &error),
			    TOCSIN_E_RANK);
		assert_contains(error.message, "first-work");
		assert_contains(error.message, circles[i].wanted);
		assert_true(tc_test_clock_ms() - before_ms < TC_PATIENCE_MS / 10);
	}
}

static void test_forms_in_work(void **state)
{
	struct fixture *fixture = *state;
	struct tocsin_error error;

	check_circles(fixture);
	assert_ok(tocsin_lock_with(fixture->node.locks, "inner", tc_held_nothing, NULL, &error));
}

struct holder {
	struct tocsin_locks *locks;
	struct tc_gate is_held, may_leave;
};

static int stay(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct holder *holder = userdata;

	(void)held;
	tc_gate_signal(&holder->is_held);
	if (!tc_gate_wait(&holder->may_leave, 1))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "nobody let the holder go");
	return TOCSIN_OK;
}

static int hold_inner(void *argument, unsigned index, struct tocsin_error *error)
{
	struct holder *holder = argument;

	(void)index;
	return tocsin_lock_with(holder->locks, "inner", stay, holder, error);
}

/* The rank is looked at before the caller queues for the key: the holder may be waiting for the
 * very work connection that the caller has. */
static void test_forms_in_work_while_held(void **state)
{
	struct fixture *fixture = *state;
	struct holder holder = {.locks = fixture->node.locks};
	struct tc_crew crew;

	tc_gate_init(&holder.is_held);
	tc_gate_init(&holder.may_leave);
	tc_crew_init(&crew);
	tc_crew_start(&crew, 1, hold_inner, &holder);
	assert_true(tc_gate_wait(&holder.is_held, 1));
	check_circles(fixture);
	tc_gate_signal(&holder.may_leave);
	tc_crew_finish(&crew, TOCSIN_OK);
	tc_gate_deinit(&holder.is_held);
	tc_gate_deinit(&holder.may_leave);
}

static int held_that_locks(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	struct tc_node *node = userdata;

	(void)held;
	return tocsin_lock_with(node->locks, "other", tc_held_nothing, NULL, error);
}

static int held_that_locks_in_transaction(struct tocsin_held *held, void *userdata,
					  struct tocsin_error *error)
{
	struct tc_node *node = userdata;

	(void)held;
	return tocsin_lock_in_transaction(node->locks, "other", tc_work_nothing, NULL, error);
}

static int held_that_works_in_work(struct tocsin_held *held, void *userdata,
				   struct tocsin_error *error)
{
	return tocsin_lock_work(held, work_that_works, userdata, error);
}

static int held_that_locks_in_work(struct tocsin_held *held, void *userdata,
				   struct tocsin_error *error)
{
	return tocsin_lock_work(held, work_that_locks, userdata, error);
}

/* A lock in a lock is tocsin_lock_nest, on the same connection; anything else would take a second. */
static void test_forms_in_lock(void **state)
{
	static const tocsin_held_fn functions[] = {held_that_locks, held_that_locks_in_transaction,
						   held_that_works_in_work,
						   held_that_locks_in_work};
	struct fixture *fixture = *state;
	struct tocsin_error error;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		assert_code(tocsin_lock_with(fixture->node.locks, "outer", functions[i],
					     &fixture->node, &error),
			    TOCSIN_E_RANK);
		assert_contains(error.message, "first-");
	}
	assert_ok(tocsin_lock_with(fixture->node.locks, "outer", tc_held_nothing, NULL, &error));
	assert_int_equal(tc_pool_stats(fixture->node.lock_pool).in_use, 0);
	assert_int_equal(tc_pool_stats(fixture->node.work_pool).in_use, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_allowed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads_are_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forms_in_work, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forms_in_work_while_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forms_in_lock, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
