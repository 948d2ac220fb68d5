/* support/outside.h: the database as an administrator sees it, past the library under test: one
 * connection of its own on plain libpq, for pg_stat_activity, pg_locks and pg_terminate_backend. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

/* Connects, or fails the test. Close with PQfinish. */
PGconn *tc_outside_connect(const char *conninfo);
/* The same, with a statement (printf format) run: for a session that holds what it took until it is closed. Main thread. */
PGconn *tc_outside_hold(const char *conninfo, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Runs one statement (printf format), or fails the test. Main thread. */
void tc_outside_run(PGconn *outside, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first column of the first row as a number, or fails the test. Main thread. */
long tc_outside_number(PGconn *outside, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for any thread: false on an error, which is printed. */
bool tc_outside_find(PGconn *outside, long *ret_number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Asks until the first column is not 0; false when patience (crew.h) ran out. Any thread. */
bool tc_outside_wait(PGconn *outside, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends a backend and waits until it is gone. Any thread. */
bool tc_outside_terminate(PGconn *outside, long pid);

/* SQL: the backends of the pool called `name`; and a condition on pg_locks: the advisory lock of
 * key `key`, which is hashtextextended(key, 0). */
#define TC_SQL_BACKENDS_OF "select pid from pg_stat_activity where application_name like '%%%s%%'"
#define TC_SQL_IS_KEY                                                                              \
	"locktype = 'advisory' and objsubid = 1 and "                                              \
	"((classid::bigint << 32) | objid::bigint) = hashtextextended('%s', 0)"
