/* support/crew.c: see crew.h. */
#include "support/crew.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* 500 of them fit a small machine; sanitizers need more room for every frame. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE ((size_t)512 * 1024)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_SIZE ((size_t)512 * 1024)
#endif
#endif
#ifndef STACK_SIZE
#define STACK_SIZE ((size_t)64 * 1024)
#endif

uint64_t tc_test_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void tc_gate_init(struct tc_gate *gate)
{
	pthread_condattr_t attributes;

	*gate = (struct tc_gate){0};
	pthread_mutex_init(&gate->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&gate->cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

void tc_gate_deinit(struct tc_gate *gate)
{
	pthread_cond_destroy(&gate->cond);
	pthread_mutex_destroy(&gate->mutex);
}

void tc_gate_signal(struct tc_gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	gate->signalled++;
	pthread_cond_broadcast(&gate->cond);
	pthread_mutex_unlock(&gate->mutex);
}

bool tc_gate_wait(struct tc_gate *gate, unsigned count)
{
	struct timespec deadline;
	bool is_reached;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += TC_PATIENCE_MS / 1000;
	pthread_mutex_lock(&gate->mutex);
	while (gate->signalled < count && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&gate->cond, &gate->mutex, &deadline);
	is_reached = gate->signalled >= count;
	if (!is_reached)
		fprintf(stderr, "gate: %u of %u signals, patience ran out\n", gate->signalled,
			count);
	pthread_mutex_unlock(&gate->mutex);
	return is_reached;
}

static bool wait_for(bool (*is_so)(void *argument), void *argument, unsigned timeout_ms)
{
	static const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t deadline_ms = tc_test_clock_ms() + timeout_ms;

	while (!is_so(argument)) {
		if (tc_test_clock_ms() >= deadline_ms)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

bool tc_wait_until(bool (*is_so)(void *argument), void *argument)
{
	return wait_for(is_so, argument, TC_PATIENCE_MS);
}

bool tc_wait_briefly(bool (*is_so)(void *argument), void *argument)
{
	return wait_for(is_so, argument, TC_BRIEFLY_MS);
}

static void *run_member(void *argument)
{
	struct tc_member *member = argument;

	member->result = member->run(member->argument, member->index, &member->error);
	return NULL;
}

void tc_crew_init(struct tc_crew *crew)
{
	*crew = (struct tc_crew){.members = calloc(TC_CREW_MAX, sizeof(*crew->members))};
	assert_non_null(crew->members);
}

void tc_crew_start(struct tc_crew *crew, unsigned count, tc_member_fn run, void *argument)
{
	pthread_attr_t attributes;

	assert_true(crew->count + count <= TC_CREW_MAX);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (unsigned i = 0; i < count; i++) {
		struct tc_member *member = &crew->members[crew->count];

		*member =
			(struct tc_member){.run = run, .argument = argument, .index = crew->count};
		assert_int_equal(pthread_create(&member->thread, &attributes, run_member, member),
				 0);
		crew->count++;
	}
	pthread_attr_destroy(&attributes);
}

void tc_crew_join(struct tc_crew *crew)
{
	if (crew->is_joined)
		return;
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->members[i].thread, NULL);
	crew->is_joined = true;
}

void tc_crew_finish(struct tc_crew *crew, int code)
{
	char message[TOCSIN_ERROR_MESSAGE_SIZE + 128] = "";

	tc_crew_join(crew);
	for (unsigned i = 0; i < crew->count && !message[0]; i++) {
		const struct tc_member *member = &crew->members[i];

		if (member->result != code)
			snprintf(message, sizeof(message),
				 "thread %u: %s: %s (%u of %u as expected)", i,
				 tocsin_error_name(member->result), member->error.message,
				 tc_crew_count(crew, code), crew->count);
	}
	tc_crew_deinit(crew);
	if (message[0])
		fail_msg("%s", message);
}

unsigned tc_crew_count(const struct tc_crew *crew, int code)
{
	unsigned count = 0;

	for (unsigned i = 0; i < crew->count; i++)
		count += crew->members[i].result == code;
	return count;
}

void tc_crew_deinit(struct tc_crew *crew)
{
	tc_crew_join(crew);
	free(crew->members);
	*crew = (struct tc_crew){.is_joined = true};
}
