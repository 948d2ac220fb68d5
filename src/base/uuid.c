/* base/uuid.c: see uuid.h.
 *
 * Model. One atomic number holds the last id's time and counter: milliseconds << 12 | rand_a. The next
 * id takes the greater of (now, random counter) and (last + 1). A clock that stands still or goes back,
 * and a counter that runs over (it borrows the next millisecond), thus all still sort after the last.
 * The counter starts below 2048, which leaves half of its range for ids of the same millisecond.
 *
 * Random bytes come in batches a thread, because each call of the kernel costs more than the rest. */
#include "base/uuid.h"

#include "base/clock.h"
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER_BITS 12
#define COUNTER_SEED 0x7ff

/* What one id needs: 62 bits of rand_b, and a seed for the counter. */
struct randomness {
	uint64_t rand_b;
	uint16_t seed;
};

#define BATCH 32

static _Thread_local struct {
	struct randomness ids[BATCH];
	unsigned left;
} pool;

static _Atomic uint64_t last;

static void start_sodium(void)
{
	if (sodium_init() < 0)
		abort(); /* no source of randomness: nothing can be made safely */
}

/* A child shares the parent's bytes, and would make the parent's ids again. */
static void forget_pool(void)
{
	pool.left = 0;
}

static void start(void)
{
	start_sodium();
	if (pthread_atfork(NULL, NULL, forget_pool) != 0)
		abort();
}

static struct randomness take_randomness(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (pool.left == 0) {
		pthread_once(&once, start);
		randombytes_buf(pool.ids, sizeof(pool.ids));
		pool.left = BATCH;
	}
	return pool.ids[--pool.left];
}

static uint64_t next_time_and_counter(uint16_t seed)
{
	uint64_t now = tc_clock_wall_ms() << COUNTER_BITS | (seed & COUNTER_SEED);
	uint64_t before = atomic_load_explicit(&last, memory_order_relaxed), next;

	do
		next = now > before ? now : before + 1;
	while (!atomic_compare_exchange_weak_explicit(&last, &before, next, memory_order_relaxed,
						      memory_order_relaxed));
	return next;
}

void tc_uuid_new(char ret_text[static TC_UUID_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	struct randomness random = take_randomness();
	uint64_t next = next_time_and_counter(random.seed);
	uint64_t high = next >> COUNTER_BITS << 16 | 0x7000 | (next & 0xfff);
	uint64_t low =
		(random.rand_b & UINT64_C(0x3fffffffffffffff)) | UINT64_C(0x8000000000000000);
	char *out = ret_text;

	for (unsigned nibble = 0; nibble < 32; nibble++) {
		uint64_t half = nibble < 16 ? high : low;

		if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20)
			*out++ = '-';
		*out++ = hex[half >> (60 - nibble % 16 * 4) & 15];
	}
	*out = '\0';
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool tc_uuid_is_valid(const char *text)
{
	for (unsigned i = 0; i < TC_UUID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !is_hex(text[i]))
			return false; /* also at the end of a short text */
	}
	return text[TC_UUID_SIZE - 1] == '\0';
}
