/* test/integration/test_batcher.c: natural batching under advisory locks, with a `run` of our own.
 *
 * How each was seen to fail: a batch that fails as a whole and is not retried one by one fails the good items with the bad
 * one; with is_over_time never true, a silent database is asked four times; without the workers' retry of contended keys,
 * the freed key waits for the held one; without looking at `exclusive`, equal items meet in a batch; finished in the order
 * of the batch, followers come before what they should let go first; without the count in key_leave, collect or push,
 * those who wait by that way are missing; without that of timeouts, all who were refused. */
#include "base/memory.h"
#include "base/thread.h"
#include "core/work/batcher.h"
#include "support/crew.h"
#include "support/outside.h"
#include "support/postgres.h"
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS_MAX 600u
/* For keys that are held; those that are free are to be had within it, on a busy machine too. */
#define HELD_MS 1500u

static unsigned retry_ms; /* of the next batcher */

struct thing {
	struct tc_item item;
	char key[32];
	enum { GOOD, BAD, LEADER_FAILS, KILLS_BACKEND_ONCE, GETS_NO_ANSWER } kind;
	atomic_uint runs, finishes;
};

struct fixture {
	struct tocsin_pool *pool;
	struct tc_batcher *batcher;
	struct thing things[ITEMS_MAX];
	struct tc_gate finished, entered, may_run;
	atomic_bool is_gated; /* run signals `entered` and waits for `may_run` */
	atomic_bool met_equal;
	atomic_bool followed_first; /* a follower was finished before another of its batch */
	unsigned leaders_left;      /* of the batch that is finished; one worker */
	atomic_uint largest;
};

static bool is_true(PGconn *pg, const char *sql, const char *key)
{
	PGresult *result = PQexecParams(pg, sql, 1, NULL, &key, NULL, NULL, 0);
	bool yes = PQresultStatus(result) == PGRES_TUPLES_OK && PQgetvalue(result, 0, 0)[0] == 't';

	PQclear(result);
	return yes;
}

static int execute(PGconn *pg, const char *sql, const char *key, struct tocsin_error *error)
{
	PGresult *result = PQexecParams(pg, sql, key ? 1 : 0, NULL, &key, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool is_timeout = state && strcmp(state, "55P03") == 0;

	PQclear(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return TOCSIN_OK;
	if (PQstatus(pg) != CONNECTION_OK)
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "lost");
	return tocsin_error_set(error, is_timeout ? TOCSIN_E_LOCK_TIMEOUT : TOCSIN_E_DATABASE, "%s",
				sql);
}

static void note_batch(struct fixture *f, struct tc_item **items, unsigned count)
{
	unsigned largest = atomic_load(&f->largest);

	while (count > largest && !atomic_compare_exchange_weak(&f->largest, &largest, count))
		;
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < i; j++)
			if (items[i]->exclusive && items[j]->exclusive &&
			    strcmp(items[i]->exclusive, items[j]->exclusive) == 0)
				atomic_store(&f->met_equal, true);
}

static int run_thing(PGconn *pg, struct thing *thing, const char *wait_key,
		     struct tocsin_error *error)
{
	unsigned runs = atomic_fetch_add(&thing->runs, 1) + 1;

	thing->item.state = TC_ITEM_DONE;
	if (!wait_key &&
	    !is_true(pg, "select pg_try_advisory_xact_lock(hashtextextended($1, 0))", thing->key))
		thing->item.state = TC_ITEM_BUSY;
	else if (thing->kind == BAD)
		return tocsin_error_set(error, TOCSIN_E_DATABASE, "bad");
	else if (thing->kind == LEADER_FAILS && runs < 3)
		thing->item.state = TC_ITEM_AGAIN;
	else if (thing->kind == KILLS_BACKEND_ONCE && runs == 1)
		return execute(pg, "select pg_terminate_backend(pg_backend_pid())", NULL, error);
	else if (thing->kind == GETS_NO_ANSWER &&
		 !execute(pg, "select pg_sleep(0.01)", NULL, error))
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "no answer in time");
	return TOCSIN_OK;
}

static int run(struct tocsin_connection *connection, struct tc_item **items, unsigned count,
	       const char *wait_key, void *userdata, struct tocsin_error *error)
{
	PGconn *pg = tocsin_connection_pg(connection);
	struct fixture *f = userdata;
	int r = execute(pg, "begin", NULL, error);

	note_batch(f, items, count);
	if (atomic_load(&f->is_gated)) {
		tc_gate_signal(&f->entered);
		tc_gate_wait(&f->may_run, 1);
	}
	if (!r && wait_key)
		r = execute(pg, "select pg_advisory_xact_lock(hashtextextended($1, 0))", wait_key,
			    error);
	for (unsigned i = 0; i < count && !r; i++)
		r = run_thing(pg, tc_list_entry(items[i], struct thing, item), wait_key, error);
	if (!r)
		return execute(pg, "commit", NULL, error);
	if (r != TOCSIN_E_UNAVAILABLE)
		execute(pg, "rollback", NULL, NULL);
	return r;
}

static void finish(struct tc_item *item, void *userdata)
{
	struct fixture *f = userdata;

	atomic_fetch_add(&tc_list_entry(item, struct thing, item)->finishes, 1);
	if (item->is_follower && f->leaders_left > 0)
		atomic_store(&f->followed_first, true);
	else if (!item->is_follower && f->leaders_left > 0)
		f->leaders_left--;
	tc_gate_signal(&f->finished);
}

/* --- fixture --- */

static struct fixture *start(unsigned workers, unsigned waiters, unsigned queue_max,
			     unsigned wait_ms)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct tocsin_pool_options pool = {.name = "batch",
						 .conninfo = tc_test_conninfo(),
						 .purpose = TOCSIN_POOL_LOCK,
						 .max = workers + waiters,
						 .connection_timeout_ms = TC_PATIENCE_MS,
						 .idle_timeout_ms = TC_PATIENCE_MS,
						 .lock_timeout_ms = wait_ms};
	struct tc_batcher_options batcher = {.name = "test",
					     .workers = workers,
					     .waiters_max = waiters,
					     .queue_max = queue_max,
					     .batch_max = 100,
					     .wait_timeout_ms = wait_ms,
					     .retry_ms = retry_ms,
					     .run = run,
					     .finish = finish,
					     .userdata = f};

	assert_non_null(f);
	tc_gate_init(&f->finished);
	tc_gate_init(&f->entered);
	tc_gate_init(&f->may_run);
	assert_int_equal(tocsin_pool_new(&f->pool, &pool, NULL), TOCSIN_OK);
	batcher.lock_pool = f->pool;
	assert_int_equal(tc_batcher_new(&f->batcher, &batcher, NULL), TOCSIN_OK);
	return f;
}

static void stop(struct fixture *f)
{
	f->batcher = tc_batcher_free(f->batcher);
	f->pool = tocsin_pool_free(f->pool);
	for (unsigned i = 0; i < ITEMS_MAX; i++)
		assert_true(atomic_load(&f->things[i].finishes) <= 1);
	tc_gate_deinit(&f->finished);
	tc_gate_deinit(&f->entered);
	tc_gate_deinit(&f->may_run);
	free(f);
}

static int submit(struct fixture *f, unsigned index, const char *key)
{
	struct thing *thing = &f->things[index];

	snprintf(thing->key, sizeof(thing->key), "%s", key);
	thing->item.key = thing->key;
	return tc_batcher_submit(f->batcher, &thing->item);
}

static void submit_many(struct fixture *f, unsigned from, unsigned to, const char *key)
{
	for (unsigned i = from; i < to; i++)
		assert_int_equal(submit(f, i, key), TOCSIN_OK);
}

static unsigned count_state(const struct fixture *f, unsigned from, unsigned to,
			    enum tc_item_state state)
{
	unsigned count = 0;

	for (unsigned i = from; i < to; i++)
		count += f->things[i].item.state == state && f->things[i].finishes == 1;
	return count;
}

/* A connection of nobody's that holds a key until it is closed. */
static PGconn *hold(const char *key)
{
	return tc_outside_hold(tc_test_conninfo(),
			       "select pg_advisory_lock(hashtextextended('%s', 0))", key);
}

static bool is_one_contended(void *argument)
{
	struct fixture *f = argument;
	struct tc_batcher_stats stats;

	tc_batcher_get_stats(f->batcher, &stats);
	return stats.contended_keys == 1 && stats.contended_items > 0;
}

static bool are_two_contended(void *argument)
{
	struct fixture *f = argument;
	struct tc_batcher_stats stats;

	tc_batcher_get_stats(f->batcher, &stats);
	return stats.contended_keys == 2;
}

struct waits {
	struct fixture *fixture;
	uint64_t expected;
};

static bool have_waited(void *argument)
{
	const struct waits *waits = argument;
	struct tc_batcher_stats stats;

	tc_batcher_get_stats(waits->fixture->batcher, &stats);
	assert_true(stats.waited <= waits->expected);
	return stats.waited == waits->expected;
}

/* --- tests --- */

static void test_every_item_once(void **state)
{
	struct fixture *f = start(2, 2, ITEMS_MAX, TC_PATIENCE_MS);
	struct tc_batcher_stats stats;
	char key[16];

	(void)state;
	for (unsigned i = 0; i < ITEMS_MAX; i++) {
		snprintf(key, sizeof(key), "key-%u", i % 50);
		f->things[i].kind = i % 7 == 0 ? LEADER_FAILS : GOOD;
		assert_int_equal(submit(f, i, key), TOCSIN_OK);
	}
	assert_true(tc_gate_wait(&f->finished, ITEMS_MAX));
	assert_int_equal(count_state(f, 0, ITEMS_MAX, TC_ITEM_DONE), ITEMS_MAX);
	tc_batcher_get_stats(f->batcher, &stats);
	assert_int_equal(stats.queued, 0);
	assert_true(stats.items >= ITEMS_MAX && stats.batches < ITEMS_MAX);
	assert_true(f->largest > 1 && f->largest <= 100);
	stop(f);
}

static void test_bad_item_harms_no_other(void **state)
{
	struct fixture *f = start(1, 1, ITEMS_MAX, TC_PATIENCE_MS);
	char key[16];

	(void)state;
	atomic_store(&f->is_gated, true);
	assert_int_equal(submit(f, 0, "first"), TOCSIN_OK);
	assert_true(tc_gate_wait(&f->entered, 1));
	atomic_store(&f->is_gated, false);
	for (unsigned i = 1; i < 60; i++) { /* one batch, while the first is held at the gate */
		snprintf(key, sizeof(key), "key-%u", i);
		f->things[i].kind = i % 20 == 0 ? BAD : i == 31 ? KILLS_BACKEND_ONCE : GOOD;
		assert_int_equal(submit(f, i, key), TOCSIN_OK);
	}
	tc_gate_signal(&f->may_run);
	assert_true(tc_gate_wait(&f->finished, 60));
	assert_true(f->largest > 50);
	assert_int_equal(count_state(f, 0, 60, TC_ITEM_FAILED), 2);
	assert_int_equal(count_state(f, 0, 60, TC_ITEM_DONE), 58);
	assert_int_equal(f->things[20].item.error.code, TOCSIN_E_DATABASE);
	stop(f);
}

/* Who waited as long as a query may take is not made to wait for it three times more. */
static void test_a_silent_database_is_asked_once(void **state)
{
	struct fixture *f;

	(void)state;
	retry_ms = 5;
	f = start(1, 1, ITEMS_MAX, TC_PATIENCE_MS);
	retry_ms = 0;
	f->things[0].kind = GETS_NO_ANSWER;
	submit_many(f, 0, 1, "key");
	assert_true(tc_gate_wait(&f->finished, 1));
	assert_int_equal(f->things[0].item.state, TC_ITEM_FAILED);
	assert_int_equal(atomic_load(&f->things[0].runs), 1);
	stop(f);
}

static void test_hot_key_costs_one_connection(void **state)
{
	struct fixture *f = start(2, 2, ITEMS_MAX, TC_PATIENCE_MS);
	PGconn *holder = hold("hot");
	struct tocsin_pool_stats pool;

	(void)state;
	submit_many(f, 0, 1, "hot");
	assert_true(tc_wait_until(is_one_contended, f));
	submit_many(f, 1, 500, "hot");
	for (unsigned i = 0; i < 20; i++) { /* each alone, in turn */
		submit_many(f, 500 + i, 501 + i, "cold");
		assert_true(tc_gate_wait(&f->finished, i + 1));
		tocsin_pool_get_stats(f->pool, &pool);
		assert_true(pool.in_use <=
			    2); /* the hot key's, and perhaps a worker on its way out */
	}
	assert_int_equal(count_state(f, 500, 520, TC_ITEM_DONE), 20);
	assert_int_equal(count_state(f, 0, 500, TC_ITEM_DONE), 0);
	assert_number("select count(*) from pg_locks where locktype = 'advisory' "
		      "and not granted",
		      1);
	PQfinish(holder);
	assert_true(tc_gate_wait(&f->finished, 520));
	assert_int_equal(count_state(f, 0, 500, TC_ITEM_DONE), 500);
	stop(f);
}

static void test_held_key_times_out(void **state)
{
	struct fixture *f = start(1, 1, ITEMS_MAX, HELD_MS);
	PGconn *holder = hold("hot");
	struct tc_batcher_stats stats;
	uint64_t began_ms = tc_test_clock_ms(), took_ms;

	(void)state;
	submit_many(f, 0, 50, "hot");
	assert_true(tc_gate_wait(&f->finished, 50));
	took_ms = tc_test_clock_ms() - began_ms;
	assert_int_equal(count_state(f, 0, 50, TC_ITEM_FAILED), 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(f->things[i].item.error.code, TOCSIN_E_LOCK_TIMEOUT);
	assert_true(took_ms >= HELD_MS);
	tc_batcher_get_stats(f->batcher, &stats);
	assert_int_equal(stats.waited, 50);
	assert_int_equal(stats.timeouts, 50);
	submit_many(f, 50, 51, "cold");
	assert_true(tc_gate_wait(&f->finished, 51));
	assert_int_equal(count_state(f, 50, 51, TC_ITEM_DONE), 1);
	PQfinish(holder);
	stop(f);
}

/* Each once, whether it tried the key itself, came while another tried it, or later, or did not fit. */
static void test_waits_are_counted(void **state)
{
	struct fixture *f = start(1, 1, ITEMS_MAX, TC_PATIENCE_MS);
	PGconn *hot = hold("hot"), *warm = hold("warm");
	struct waits waits = {f, 10};
	struct tc_batcher_stats stats;
	uint64_t began_ms, took_ms;

	(void)state;
	atomic_store(&f->is_gated, true);
	submit_many(f, 0, 1, "hot");
	assert_true(tc_gate_wait(&f->entered, 1));
	submit_many(f, 1, 10, "hot");
	atomic_store(&f->is_gated, false);
	tc_gate_signal(&f->may_run);
	assert_true(tc_wait_until(have_waited, &waits));
	submit_many(f, 10, 20, "hot");
	waits.expected = 20;
	assert_true(have_waited(&waits));
	began_ms = tc_test_clock_ms();
	submit_many(f, 20, 180, "warm"); /* a batch is of 100 */
	waits.expected = 180;
	assert_true(tc_wait_until(have_waited, &waits));
	submit_many(f, 180, 181, "cold");
	assert_true(tc_gate_wait(&f->finished, 1));
	took_ms = tc_test_clock_ms() - began_ms;
	PQfinish(hot);
	PQfinish(warm);
	assert_true(tc_gate_wait(&f->finished, 181));
	assert_true(have_waited(&waits));
	tc_batcher_get_stats(f->batcher, &stats);
	assert_int_equal(stats.timeouts, 0);
	assert_true(stats.wait_us + 20000u >= 20000u * took_ms); /* of the hot ones */
	stop(f);
}

/* More held keys than waiters: one that comes free is served while the waiter still waits for another. */
static void test_freed_key_needs_no_waiter(void **state)
{
	struct fixture *f = start(1, 1, ITEMS_MAX, TC_PATIENCE_MS);
	PGconn *first = hold("first"), *second = hold("second");

	(void)state;
	submit_many(f, 0, 1, "first");
	assert_true(tc_wait_until(is_one_contended, f));
	submit_many(f, 1, 10, "second");
	assert_true(tc_wait_until(are_two_contended, f));
	PQfinish(second);
	assert_true(tc_gate_wait(&f->finished, 9));
	assert_int_equal(count_state(f, 1, 10, TC_ITEM_DONE), 9);
	PQfinish(first);
	assert_true(tc_gate_wait(&f->finished, 10));
	stop(f);
}

static void test_exclusive_items_never_meet(void **state)
{
	struct fixture *f = start(1, 1, ITEMS_MAX, TC_PATIENCE_MS);
	char key[16];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key-%u", i % 3);
		f->things[i].item.exclusive = i % 2 ? "odd" : NULL;
		assert_int_equal(submit(f, i, key), TOCSIN_OK);
	}
	assert_true(tc_gate_wait(&f->finished, 200));
	assert_int_equal(count_state(f, 0, 200, TC_ITEM_DONE), 200);
	assert_false(f->met_equal);
	assert_true(f->largest > 1);
	stop(f);
}

/* Two of three items follow; the others are not to wait for them. */
static void test_followers_come_last(void **state)
{
	struct fixture *f = start(1, 1, ITEMS_MAX, TC_PATIENCE_MS);

	(void)state;
	atomic_store(&f->is_gated, true);
	submit_many(f, 0, 1, "first"); /* the others gather while it runs */
	assert_true(tc_gate_wait(&f->entered, 1));
	for (unsigned i = 1; i <= 30; i++)
		f->things[i].item.is_follower = i % 3 != 0;
	submit_many(f, 1, 31, "second");
	atomic_store(&f->is_gated, false);
	f->leaders_left = 1 + 10;
	tc_gate_signal(&f->may_run);
	assert_true(tc_gate_wait(&f->finished, 31));
	assert_int_equal(f->largest, 30);
	assert_false(f->followed_first);
	stop(f);
}

static void test_queue_is_bounded_and_drained(void **state)
{
	struct fixture *f = start(1, 1, 10, TC_PATIENCE_MS);

	(void)state;
	atomic_store(&f->is_gated, true);
	submit_many(f, 0, 1, "first");
	assert_true(tc_gate_wait(&f->entered, 1));
	submit_many(f, 1, 11, "second");
	assert_int_equal(submit(f, 11, "third"), TOCSIN_E_FULL);
	atomic_store(&f->is_gated, false);
	tc_gate_signal(&f->may_run);
	f->batcher = tc_batcher_free(f->batcher); /* finishes what is queued */
	assert_int_equal(count_state(f, 0, 11, TC_ITEM_DONE), 11);
	stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_item_once),
		cmocka_unit_test(test_bad_item_harms_no_other),
		cmocka_unit_test(test_a_silent_database_is_asked_once),
		cmocka_unit_test(test_hot_key_costs_one_connection),
		cmocka_unit_test(test_held_key_times_out),
		cmocka_unit_test(test_waits_are_counted),
		cmocka_unit_test(test_freed_key_needs_no_waiter),
		cmocka_unit_test(test_exclusive_items_never_meet),
		cmocka_unit_test(test_followers_come_last),
		cmocka_unit_test(test_queue_is_bounded_and_drained),
	};

	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
