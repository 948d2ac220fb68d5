/* test_install.c: a stranger's programs, the example and the README's, build against the installed library,
 * through pkg-config, and run on a real database. Seen to fail, of an installed copy: with tocsin.h removed, and
 * with the pkg-config file's "Requires: libpq" removed (libpq-fe.h is not found); and with a mistake in the README. */
#include "support/postgres.h"
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char **arguments; /* of main: the script and what it is to be given */

static void test_examples_build_and_run(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	free(tc_test_sql("create table account as select 100 as balance"));
	assert_int_equal(setenv("DATABASE_URL", tc_test_conninfo(), 1), 0);
	assert_int_equal(posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(tc_test_sql_number("select balance from account"), 99);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples_build_and_run)};

	if (argc < 5)
		return 2; /* usage: test_install install_example.sh BUILD_DIRECTORY EXAMPLE.C README.md [FLAG...] */
	arguments = argv + 1;
	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
