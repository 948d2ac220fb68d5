/* base/log.c: see log.h. A line is built in memory and written by one write(2), so that lines of
 * different threads do not mix. Control characters, those that turn the order of text, and broken UTF-8 become
 * '?': whoever sends us text cannot forge a line. */
#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Longest sentence, in bytes; a longer one is cut. */
#define MESSAGE_SIZE 2048

static _Atomic int log_level = TC_LOG_INFO;
static _Atomic bool log_json;

static const char *const level_names[] = {
	[TC_LOG_ERROR] = "error",
	[TC_LOG_WARNING] = "warning",
	[TC_LOG_INFO] = "info",
	[TC_LOG_DEBUG] = "debug",
};

void tc_log_setup(enum tc_log_level level, bool json)
{
	atomic_store(&log_level, (int)level);
	atomic_store(&log_json, json);
}

bool tc_log_is_enabled(enum tc_log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static void clean(char *text)
{
	size_t length = strlen(text);
	char *to = text;

	while (length > 0 && text[length - 1] == '\n') /* libpq ends its sentences with one */
		text[--length] = '\0';
	while (*text) {
		uint32_t character = 0;
		size_t size = tc_utf8_decode(text, &character);

		if (size == 0 || tc_utf8_is_hidden(character)) {
			*to++ = (char)(character == '\n' ? ' ' : '?');
		} else {
			memmove(to, text, size);
			to += size;
		}
		text += TC_MAX(size, 1u);
	}
	*to = '\0';
}

static void write_line(const char *line, size_t length)
{
	while (length > 0) {
		ssize_t written = write(STDERR_FILENO, line, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return; /* standard error is gone: there is nobody to tell */
		line += written;
		length -= (size_t)written;
	}
}

void tc_log(enum tc_log_level level, const char *event, const char *format, ...)
{
	char time[TC_TIMESTAMP_SIZE], message[MESSAGE_SIZE];
	TC_BUFFER line = {.max = (size_t)8 * MESSAGE_SIZE};
	va_list arguments;

	if (!tc_log_is_enabled(level))
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	clean(message);
	tc_clock_format(tc_clock_wall_ms(), time);
	if (atomic_load_explicit(&log_json, memory_order_relaxed)) {
		tc_buffer_append_format(
			&line,
			"{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"message\":", time,
			level_names[level], event);
		tc_buffer_append_json(&line, message);
		tc_buffer_append_text(&line, "}\n");
	} else {
		tc_buffer_append_format(&line, "%s %-7s %s: %s\n", time, level_names[level], event,
					message);
	}
	if (line.failed)
		write_line("log line lost: out of memory\n", 29);
	else
		write_line(line.data, line.length);
}
