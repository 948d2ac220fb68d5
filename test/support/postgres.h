/* test/support/postgres.h: a throw-away PostgreSQL cluster for one test program, in a directory of
 * its own under /tmp, and shortcuts to look into it. Failures fail the running cmocka test.
 *
 * Use: cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* cmocka group fixtures; state is not used. */
int tc_test_postgres_setup(void **state);
int tc_test_postgres_teardown(void **state);

/* Conninfo of database "tocsin" (a superuser); constant while the cluster lives. */
const char *tc_test_conninfo(void);
/* The cluster's data directory. */
const char *tc_test_data_directory(void);

/* Runs SQL (several statements allowed) on a connection of its own; the first value of the last result,
 * owned by the caller, or NULL for SQL NULL or no row. */
char *tc_test_sql(const char *sql);
long tc_test_sql_number(const char *sql);

/* Assert that this is what SQL tells. A value that is NULL equals no text. Main thread. */
#define assert_number(sql, expected) tc_test_assert_number(sql, expected, __FILE__, __LINE__)
#define assert_text(sql, expected)   tc_test_assert_text(sql, expected, __FILE__, __LINE__)
void tc_test_assert_number(const char *sql, long expected, const char *file, int line);
void tc_test_assert_text(const char *sql, const char *expected, const char *file, int line);

/* pg_terminate_backend for every backend whose application_name starts with the prefix ("": every
 * client backend but the asking one); returns how many, after all of them are gone. */
long tc_test_terminate_backends(const char *application_name_prefix);

/* kill -9 of the postmaster that runs now; the supervisor heals it. */
void tc_test_kill_postmaster(void);
/* Waits until the cluster accepts connections again (at most 20 s); true if it does. */
bool tc_test_wait_accepting(void);

/* A new empty directory /tmp/tocsin-test-XXXXXX; owned by the caller (free), and its removal. */
char *tc_test_make_directory(void);
void tc_test_remove_directory(const char *path);
