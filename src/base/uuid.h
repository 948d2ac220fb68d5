/* base/uuid.h: UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits
 * from libsodium. Within a process successive ids never sort backwards (method 1 of section 6.2: a
 * counter in rand_a). Thread-safe. */
#pragma once

#include <stdbool.h>

#define TC_UUID_SIZE 37 /* text with NUL */

void tc_uuid_new(char ret_text[static TC_UUID_SIZE]);
/* True for the 8-4-4-4-12 form of any version, either case. */
bool tc_uuid_is_valid(const char *text);
