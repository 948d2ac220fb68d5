/* base/buffer.h: a growable, bounded run of bytes, always followed by a NUL.
 *
 * Failure is sticky: once memory or the bound runs out, `failed` is set and appends do nothing, so a
 * caller checks once, at the end. A zeroed buffer is valid and bounded by TC_BUFFER_MAX_DEFAULT. */
#pragma once

#include "base/macro.h"
#include <stdbool.h>
#include <stddef.h>

#define TC_BUFFER_MAX_DEFAULT ((size_t)64 * 1024 * 1024)

struct tc_buffer {
	char *data; /* owned; NULL while empty */
	size_t length, capacity;
	size_t max; /* bytes, 0: TC_BUFFER_MAX_DEFAULT */
	bool failed;
	bool is_over; /* what failed is its bound, not memory */
};

void tc_buffer_deinit(struct tc_buffer *buffer);
void tc_buffer_clear(struct tc_buffer *buffer); /* keeps the memory */
void tc_buffer_append(struct tc_buffer *buffer, const char *bytes, size_t length);
void tc_buffer_append_text(struct tc_buffer *buffer, const char *text);
void tc_buffer_append_format(struct tc_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; `text` is UTF-8. */
void tc_buffer_append_json(struct tc_buffer *buffer, const char *text);
/* The same for text that may have NUL characters. */
void tc_buffer_append_json_text(struct tc_buffer *buffer, const char *text, size_t length);
/* The bytes, owned by the caller (free), or NULL if the buffer failed; the buffer is empty after. */
char *tc_buffer_steal(struct tc_buffer *buffer);

static inline void tc_buffer_deinit_cleanup(struct tc_buffer *buffer)
{
	tc_buffer_deinit(buffer);
}
#define TC_BUFFER __attribute__((cleanup(tc_buffer_deinit_cleanup))) struct tc_buffer
