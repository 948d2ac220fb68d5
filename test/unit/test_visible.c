/* Tests of app/cli/visible.h. */
#include "unit.h"

#include "app/cli/visible.h"
#include <string.h>

static const struct {
	const char *text, *line;
} rows[] = {
	{"", ""},
	{"plain \\u001B text?", "plain \\u001B text?"},
	{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xd7\x90",
	 "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xd7\x90"},
	{"two\nlines\tand a tab", "two lines and a tab"},
	/* Controls: the first and last of C0 and C1, and DEL. */
	{"\x01|\x1f|\x7f|\xc2\x80|\xc2\x9f|\xc2\xa0",
	 "\\u0001|\\u001F|\\u007F|\\u0080|\\u009F|\xc2\xa0"},
	{"\x1b[31mred\r", "\\u001B[31mred\\u000D"},
	/* What turns the order of text: the first and last of each range, and their neighbours. */
	{"\xd8\x9b|\xd8\x9c|\xd8\x9d", "\xd8\x9b|\\u061C|\xd8\x9d"},
	{"\xe2\x80\x8d|\xe2\x80\x8e|\xe2\x80\x8f|\xe2\x80\x90",
	 "\xe2\x80\x8d|\\u200E|\\u200F|\xe2\x80\x90"},
	{"\xe2\x80\xa7|\xe2\x80\xa8|\xe2\x80\xae|\xe2\x80\xaf",
	 "\xe2\x80\xa7|\\u2028|\\u202E|\xe2\x80\xaf"},
	{"\xe2\x81\xa5|\xe2\x81\xa6|\xe2\x81\xa9|\xe2\x81\xaf|\xe2\x81\xb0",
	 "\xe2\x81\xa5|\\u2066|\\u2069|\\u206F|\xe2\x81\xb0"},
	/* No UTF-8: a C1 control as one byte, a character that was cut, one that is too long. */
	{"a\x9b"
	 "2J",
	 "a\xef\xbf\xbd"
	 "2J"},
	{"cut \xe2\x80", "cut \xef\xbf\xbd\xef\xbf\xbd"},
	{"\xc0\x9b", "\xef\xbf\xbd\xef\xbf\xbd"},
};

/* Seen to fail for the rows of bidirectional text with the last four ranges taken out of the table. */
static void test_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(rows); i++) {
		TC_BUFFER out = {0};

		tc_buffer_append(&out, "", 0);
		tc_visible_append(&out, rows[i].text);
		assert_false(out.failed);
		assert_string_equal(out.data, rows[i].line);
		assert_true(out.length <= strlen(rows[i].text) * TC_VISIBLE_GROWTH_MAX);
	}
}

static void test_lines(void **state)
{
	TC_BUFFER out = {0};

	(void)state;
	tc_visible_append_lines(&out, "two\nlines\tand \x1b\r\n");
	assert_string_equal(out.data, "two\nlines\tand \\u001B\\u000D\n");
}

/* Seen to fail with tc_utf8_length in its place. */
static void test_width(void **state)
{
	static const struct {
		const char *line;
		size_t width;
	} widths[] = {
		{"", 0},
		{"plain \xc3\xa9 \xe2\x82\xac", 9},
		{"\xe6\x97\xa5\xe6\x9c\xac", 4}, /* Chinese characters */
		{"\xf0\x9f\x98\x80", 2},         /* an emoji */
		{"e\xcc\x81", 1},                /* e and a combining acute accent */
	};

	(void)state;
	for (size_t i = 0; i < TC_ARRAY_LENGTH(widths); i++)
		assert_int_equal(tc_visible_width(widths[i].line), widths[i].width);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_width),
	};

	return cmocka_run_group_tests_name("visible", tests, NULL, NULL);
}
