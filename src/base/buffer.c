/* base/buffer.c: see buffer.h. Capacity doubles, so that appending stays linear in what is appended. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 128

/* Room for `more` bytes and a NUL; false, and failed, where memory or the bound says no. */
static bool reserve(struct tc_buffer *buffer, size_t more)
{
	size_t max = buffer->max ? buffer->max : TC_BUFFER_MAX_DEFAULT;
	size_t needed, capacity;
	char *data;

	if (buffer->failed)
		return false;
	if (buffer->length > max || more > max - buffer->length) {
		buffer->failed = buffer->is_over = true;
		return false;
	}
	needed = buffer->length + more + 1;
	if (needed <= buffer->capacity)
		return true;
	capacity = TC_MAX(buffer->capacity * 2, FIRST_CAPACITY);
	capacity = TC_MAX(TC_MIN(capacity, max + 1), needed);
	data = realloc(buffer->data, capacity);
	if (!data) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

void tc_buffer_deinit(struct tc_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct tc_buffer){.max = buffer->max};
}

void tc_buffer_clear(struct tc_buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = buffer->is_over = false;
	if (buffer->data)
		buffer->data[0] = '\0';
}

void tc_buffer_append(struct tc_buffer *buffer, const char *bytes, size_t length)
{
	if (!reserve(buffer, length))
		return;
	if (length > 0)
		memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
}

void tc_buffer_append_text(struct tc_buffer *buffer, const char *text)
{
	tc_buffer_append(buffer, text, strlen(text));
}

void tc_buffer_append_format(struct tc_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	size_t room;
	int length;

	if (!reserve(buffer, 0))
		return;
	room = buffer->capacity - buffer->length;
	va_start(arguments, format);
	length = vsnprintf(buffer->data + buffer->length, room, format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length >= room) {
		buffer->data[buffer->length] = '\0'; /* what was cut is not part of the buffer */
		if (!reserve(buffer, (size_t)length))
			return;
		va_start(arguments, format);
		length = vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format,
				   arguments);
		va_end(arguments);
	}
	if (length < 0 || !reserve(buffer, (size_t)length)) {
		buffer->data[buffer->length] = '\0';
		buffer->failed = true;
		return;
	}
	buffer->length += (size_t)length;
}

static bool needs_escape(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
}

static void append_escape(struct tc_buffer *buffer, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	char code[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

	switch (byte) {
	case '"':
		tc_buffer_append(buffer, "\\\"", 2);
		break;
	case '\\':
		tc_buffer_append(buffer, "\\\\", 2);
		break;
	case '\n':
		tc_buffer_append(buffer, "\\n", 2);
		break;
	case '\r':
		tc_buffer_append(buffer, "\\r", 2);
		break;
	case '\t':
		tc_buffer_append(buffer, "\\t", 2);
		break;
	default:
		tc_buffer_append(buffer, code, sizeof(code));
		break;
	}
}

void tc_buffer_append_json_text(struct tc_buffer *buffer, const char *text, size_t length)
{
	size_t start = 0;

	tc_buffer_append(buffer, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		if (!needs_escape((unsigned char)text[i]))
			continue;
		tc_buffer_append(buffer, text + start, i - start);
		append_escape(buffer, (unsigned char)text[i]);
		start = i + 1;
	}
	tc_buffer_append(buffer, text + start, length - start);
	tc_buffer_append(buffer, "\"", 1);
}

void tc_buffer_append_json(struct tc_buffer *buffer, const char *text)
{
	tc_buffer_append_json_text(buffer, text, strlen(text));
}

char *tc_buffer_steal(struct tc_buffer *buffer)
{
	char *data = NULL;

	if (reserve(buffer, 0)) { /* an empty buffer becomes an empty text, not NULL */
		buffer->data[buffer->length] = '\0';
		data = tc_take(buffer->data);
	}
	tc_buffer_deinit(buffer);
	return data;
}
