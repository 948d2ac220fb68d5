/* support/outside.c: see outside.h. */
#include "support/outside.h"

#include "support/crew.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STATEMENT_MAX 4096

PGconn *tc_outside_connect(const char *conninfo)
{
	PGconn *outside = PQconnectdb(conninfo);

	if (PQstatus(outside) != CONNECTION_OK)
		fail_msg("cannot connect: %s", PQerrorMessage(outside));
	tc_outside_run(outside,
		       "set client_min_messages = warning"); /* no "does not exist, skipping" */
	return outside;
}

__attribute__((format(printf, 3, 0))) static bool run(PGconn *outside, long *ret_number,
						      const char *format, va_list arguments)
{
	char statement[STATEMENT_MAX];
	PGresult *result;
	ExecStatusType status;

	vsnprintf(statement, sizeof(statement), format, arguments);
	result = PQexec(outside, statement);
	status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s: %s", statement, PQerrorMessage(outside));
		PQclear(result);
		return false;
	}
	if (ret_number) {
		const char *text = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "0";

		*ret_number = text[0] == 't' ? 1 : strtol(text, NULL, 10);
	}
	PQclear(result);
	return true;
}

PGconn *tc_outside_hold(const char *conninfo, const char *format, ...)
{
	PGconn *outside = tc_outside_connect(conninfo);
	va_list arguments;
	bool is_done;

	va_start(arguments, format);
	is_done = run(outside, NULL, format, arguments);
	va_end(arguments);
	if (!is_done)
		fail_msg("%s", PQerrorMessage(outside));
	return outside;
}

void tc_outside_run(PGconn *outside, const char *format, ...)
{
	va_list arguments;
	bool is_done;

	va_start(arguments, format);
	is_done = run(outside, NULL, format, arguments);
	va_end(arguments);
	if (!is_done)
		fail_msg("%s", PQerrorMessage(outside));
}

long tc_outside_number(PGconn *outside, const char *format, ...)
{
	va_list arguments;
	long number = 0;
	bool is_done;

	va_start(arguments, format);
	is_done = run(outside, &number, format, arguments);
	va_end(arguments);
	if (!is_done)
		fail_msg("%s", PQerrorMessage(outside));
	return number;
}

bool tc_outside_find(PGconn *outside, long *ret_number, const char *format, ...)
{
	va_list arguments;
	bool is_done;

	va_start(arguments, format);
	is_done = run(outside, ret_number, format, arguments);
	va_end(arguments);
	return is_done;
}

struct question {
	PGconn *outside;
	char statement[STATEMENT_MAX];
	bool is_broken;
};

static bool is_answered(void *argument)
{
	struct question *question = argument;
	long number = 0;

	question->is_broken =
		!tc_outside_find(question->outside, &number, "%s", question->statement);
	return question->is_broken || number != 0;
}

bool tc_outside_wait(PGconn *outside, const char *format, ...)
{
	struct question question = {.outside = outside};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(question.statement, sizeof(question.statement), format, arguments);
	va_end(arguments);
	if (tc_wait_until(is_answered, &question) && !question.is_broken)
		return true;
	fprintf(stderr, "never so: %s\n", question.statement);
	return false;
}

bool tc_outside_terminate(PGconn *outside, long pid)
{
	long is_ended = 0;

	/* The second argument makes it wait: the backend is gone when it says true. */
	return tc_outside_find(outside, &is_ended, "select pg_terminate_backend(%ld, %u)", pid,
			       TC_PATIENCE_MS) &&
	       is_ended;
}
