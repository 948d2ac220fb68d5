/* support/crew.h: many threads in a test, and the events they wait for.
 *
 * cmocka's assertions leave by longjmp, so only the main thread may use them: a member returns a
 * code and fills an error, and the main thread looks at both after joining. Every wait has a bound
 * (TC_PATIENCE_MS), generous enough for a busy machine under a sanitizer; past it the test fails. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <tocsin/error.h>

#define TC_PATIENCE_MS 120000u

/* A counted event: waiting for n returns once it was signalled n times. */
struct tc_gate {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned signalled;
};

void tc_gate_init(struct tc_gate *gate);
void tc_gate_deinit(struct tc_gate *gate);
void tc_gate_signal(struct tc_gate *gate);
/* False (and a line on stderr) when patience ran out. Any thread. */
bool tc_gate_wait(struct tc_gate *gate, unsigned count);

/* For states that have no event, such as the library's statistics: asks again every millisecond
 * until `is_so` says yes. False when patience ran out. */
bool tc_wait_until(bool (*is_so)(void *argument), void *argument);
/* The same, but for TC_BRIEFLY_MS only: for cleaning up after a test that failed. */
#define TC_BRIEFLY_MS 5000u
bool tc_wait_briefly(bool (*is_so)(void *argument), void *argument);

uint64_t tc_test_clock_ms(void); /* monotonic */

typedef int (*tc_member_fn)(void *argument, unsigned index, struct tocsin_error *error);

struct tc_member {
	pthread_t thread;
	tc_member_fn run;
	void *argument;
	unsigned index;
	int result;
	struct tocsin_error error;
};

#define TC_CREW_MAX 1024
struct tc_crew {
	unsigned count;
	bool is_joined;
	struct tc_member *members; /* owned */
};

void tc_crew_init(struct tc_crew *crew);
/* Starts `count` more threads of `run`, each with its index; small stacks, so that 500 are cheap. */
void tc_crew_start(struct tc_crew *crew, unsigned count, tc_member_fn run, void *argument);
void tc_crew_join(struct tc_crew *crew);
/* Joins, fails the test with the first member's error that is not `code`, and frees. */
void tc_crew_finish(struct tc_crew *crew, int code);
unsigned tc_crew_count(const struct tc_crew *crew, int code);
void tc_crew_deinit(struct tc_crew *crew);

/* Asserts that a call succeeded, printing its error if not; needs a local `error`. Main thread. */
#define assert_ok(call)                                                                            \
	do {                                                                                       \
		int tc_result_ = (call);                                                           \
		if (tc_result_ != TOCSIN_OK)                                                       \
			fail_msg("%s: %s: %s", #call, tocsin_error_name(tc_result_),               \
				 error.message);                                                   \
	} while (0)

/* Asserts that a call failed with `code`. */
#define assert_code(call, code)                                                                    \
	do {                                                                                       \
		int tc_result_ = (call);                                                           \
		if (tc_result_ != (code))                                                          \
			fail_msg("%s: %s, not %s: %s", #call, tocsin_error_name(tc_result_),       \
				 tocsin_error_name(code), tc_result_ ? error.message : "");        \
	} while (0)

/* Asserts that `text` contains `part`. */
#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr((text), (part)))                                                       \
			fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                \
	} while (0)
