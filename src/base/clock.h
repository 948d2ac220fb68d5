/* base/clock.h: time. Monotonic for waiting and measuring, wall clock for what people see. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Monotonic time in microseconds, and in milliseconds. */
uint64_t tc_clock_us(void);
uint64_t tc_clock_ms(void);

/* A monotonic moment (of tc_clock_ms) as the timespec that pthread_cond_timedwait takes. */
struct timespec tc_clock_deadline(uint64_t deadline_ms);

/* Milliseconds from now until a monotonic `deadline_ms`; 0 when it has passed. */
uint64_t tc_clock_remaining_ms(uint64_t deadline_ms);

/* Wall clock, milliseconds since 1970. */
uint64_t tc_clock_wall_ms(void);

/* RFC 3339, UTC, milliseconds, "Z": "2026-01-02T03:04:05.678Z". */
#define TC_TIMESTAMP_SIZE 25
void tc_clock_format(uint64_t wall_ms, char ret_text[static TC_TIMESTAMP_SIZE]);
