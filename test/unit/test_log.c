/* Tests of base/log.h. */
#include "unit.h"

#include "base/log.h"
#include "base/macro.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a sentence is in the log. */
static void log_as(const char *sentence, char *ret_line, size_t size)
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	size_t length;

	assert_non_null(file);
	assert_true(before >= 0);
	assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	tc_log_error("test", "%s", sentence);
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
	rewind(file);
	length = fread(ret_line, 1, size - 1, file);
	ret_line[length] = '\0';
	fclose(file);
}

/* Seen to fail for C1 where only controls of ASCII were looked for. */
static void test_nobody_forges_a_line(void **state)
{
	static const struct {
		const char *sentence, *shown;
	} rows[] = {
		{"plain \xc3\xa9 \xe6\x97\xa5", "plain \xc3\xa9 \xe6\x97\xa5"},
		{"libpq's last line ends\n", "libpq's last line ends"},
		{"two\nlines\tand a tab", "two lines?and a tab"},
		{"\x1b[31m\x7f", "?[31m?"},
		{"\xc2\x9b"
		 "2J",
		 "?2J"},                                        /* C1 */
		{"\xe2\x80\xaegnp.exe \xd8\x9c", "?gnp.exe ?"}, /* what turns the order of text */
		{"one\xe2\x80\xa8line", "one?line"},
		{"cut \xe6\x97, \xc3\xa9", "cut ??, \xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		char line[256], wanted[256];

		log_as(rows[i].sentence, line, sizeof(line));
		snprintf(wanted, sizeof(wanted), " error   test: %s\n", rows[i].shown);
		assert_non_null(strchr(line, ' '));
		assert_string_equal(strchr(line, ' '), wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_forges_a_line),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
