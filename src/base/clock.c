/* base/clock.c: see clock.h. */
#include "base/clock.h"

#include <stdio.h>

static uint64_t read_clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t tc_clock_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

uint64_t tc_clock_ms(void)
{
	return tc_clock_us() / 1000;
}

struct timespec tc_clock_deadline(uint64_t deadline_ms)
{
	return (struct timespec){.tv_sec = (time_t)(deadline_ms / 1000),
				 .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
}

uint64_t tc_clock_remaining_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = tc_clock_ms();

	return now_ms < deadline_ms ? deadline_ms - now_ms : 0;
}

uint64_t tc_clock_wall_ms(void)
{
	return read_clock_us(CLOCK_REALTIME) / 1000;
}

void tc_clock_format(uint64_t wall_ms, char ret_text[static TC_TIMESTAMP_SIZE])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm utc;
	char date[64];

	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	/* Years beyond 9999 would not fit: the text is cut, never the buffer overrun. */
	snprintf(ret_text, TC_TIMESTAMP_SIZE, "%.19s.%03uZ", date, (unsigned)(wall_ms % 1000));
}
