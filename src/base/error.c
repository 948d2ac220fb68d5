/* base/error.c: the table behind tocsin/error.h. */
#include <stdarg.h>
#include <stdio.h>
#include <tocsin/error.h>

#include "base/macro.h"

static const struct {
	const char *name;
	bool retryable;
} errors[] = {
	[TOCSIN_OK] = {"ok", false},
	[TOCSIN_E_INVALID] = {"invalid", false},
	[TOCSIN_E_NOMEM] = {"no_memory", true},
	[TOCSIN_E_SYSTEM] = {"system", false},
	[TOCSIN_E_RANK] = {"rank", false},
	[TOCSIN_E_TIMEOUT] = {"timeout", true},
	[TOCSIN_E_UNAVAILABLE] = {"unavailable", true},
	[TOCSIN_E_LOCK_BUSY] = {"lock_busy", true},
	[TOCSIN_E_LOCK_TIMEOUT] = {"lock_timeout", true},
	[TOCSIN_E_LOCK_HELD] = {"lock_held", false},
	[TOCSIN_E_LOCK_LOST] = {"lock_lost", true},
	[TOCSIN_E_DEADLOCK] = {"deadlock", true},
	[TOCSIN_E_RETRY] = {"retry", true},
	[TOCSIN_E_FULL] = {"full", true},
	[TOCSIN_E_CLOSED] = {"closed", false},
	[TOCSIN_E_EXISTS] = {"exists", false},
	[TOCSIN_E_REFERENCE] = {"reference", false},
	[TOCSIN_E_NOT_FOUND] = {"not_found", false},
	[TOCSIN_E_DATABASE] = {"database", false},
};
_Static_assert(TC_ARRAY_LENGTH(errors) == TOCSIN_E_COUNT, "every code has a row");

const char *tocsin_error_name(int code)
{
	return code >= 0 && code < TOCSIN_E_COUNT ? errors[code].name : "unknown";
}

bool tocsin_error_is_retryable(int code)
{
	return code >= 0 && code < TOCSIN_E_COUNT && errors[code].retryable;
}

int tocsin_error_set(struct tocsin_error *error, int code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return code;
	error->code = code;
	error->sqlstate[0] = '\0';
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return code;
}
