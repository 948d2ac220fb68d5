/* test_install.c: a stranger's program builds against the installed library, through pkg-config, and
 * runs on a real database. Seen to fail, of an installed copy: with tocsin.h removed, and with the
 * pkg-config file's "Requires: libpq" removed (libpq-fe.h is not found). */
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

static void test_example_builds_and_runs(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(setenv("DATABASE_URL", tc_test_conninfo(), 1), 0);
	assert_int_equal(posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_example_builds_and_runs)};

	if (argc < 4)
		return 2; /* usage: test_install install_example.sh BUILD_DIRECTORY EXAMPLE.C [FLAG...] */
	arguments = argv + 1;
	return cmocka_run_group_tests(tests, tc_test_postgres_setup, tc_test_postgres_teardown);
}
