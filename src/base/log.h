/* base/log.h: the server's log on standard error, one line an event, as text or JSON. Libraries
 * (pg/, lock/) do not log; they report. Never pass a secret. Thread-safe; blocks on standard error. */
#pragma once

#include <stdbool.h>

enum tc_log_level { TC_LOG_ERROR, TC_LOG_WARNING, TC_LOG_INFO, TC_LOG_DEBUG };

void tc_log_setup(enum tc_log_level level, bool json);
bool tc_log_is_enabled(enum tc_log_level level);

/* `event` is a short constant name ("pool.connection_died"), the rest a sentence for a person. */
void tc_log(enum tc_log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define tc_log_error(...)   tc_log(TC_LOG_ERROR, __VA_ARGS__)
#define tc_log_warning(...) tc_log(TC_LOG_WARNING, __VA_ARGS__)
#define tc_log_info(...)    tc_log(TC_LOG_INFO, __VA_ARGS__)
#define tc_log_debug(...)   tc_log(TC_LOG_DEBUG, __VA_ARGS__)
