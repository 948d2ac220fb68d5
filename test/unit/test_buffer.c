/* Tests of base/buffer.h. */
#include "unit.h"

#include "base/buffer.h"
#include "base/memory.h"
#include <string.h>

static void test_append(void **state)
{
	TC_BUFFER buffer = {0};

	(void)state;
	assert_null(buffer.data);
	tc_buffer_append(&buffer, "ab\0c", 4);
	tc_buffer_append_text(&buffer, "def");
	assert_int_equal(buffer.length, 7);
	assert_memory_equal(buffer.data, "ab\0cdef", 8); /* and the NUL after it */
	tc_buffer_append(&buffer, "", 0);
	assert_int_equal(buffer.length, 7);
	tc_buffer_clear(&buffer);
	assert_int_equal(buffer.length, 0);
	assert_string_equal(buffer.data, "");
}

static void test_growth(void **state)
{
	TC_BUFFER buffer = {0};

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		tc_buffer_append_format(&buffer, "%u,", i % 10);
	assert_false(buffer.failed);
	assert_int_equal(buffer.length, 200000);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(buffer.data[i * 2], '0' + i % 10);
}

static void test_format_longer_than_room(void **state)
{
	TC_BUFFER buffer = {0};
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	tc_buffer_append_text(&buffer, "a");
	tc_buffer_append_format(&buffer, "%s%d", text, 7);
	assert_int_equal(buffer.length, 1 + 999 + 1);
	assert_int_equal(buffer.data[buffer.length - 1], '7');
	assert_int_equal(buffer.data[buffer.length], '\0');
}

/* The bound holds exactly, failure is sticky, and what was there stays intact. */
static void test_bound(void **state)
{
	TC_BUFFER buffer = {.max = 10};

	(void)state;
	tc_buffer_append_text(&buffer, "0123456789");
	assert_false(buffer.failed);
	tc_buffer_append(&buffer, "", 0);
	assert_false(buffer.failed);
	tc_buffer_append_text(&buffer, "a");
	assert_true(buffer.failed);
	tc_buffer_clear(&buffer);
	assert_false(buffer.failed);
	tc_buffer_append_format(&buffer, "%s", "0123456789a");
	assert_true(buffer.failed);
	tc_buffer_append_text(&buffer, "b");
	assert_int_equal(buffer.length, 0);
	assert_null(tc_buffer_steal(&buffer));
	assert_int_equal(buffer.max, 10);
}

static void test_json(void **state)
{
	TC_BUFFER buffer = {0};

	(void)state;
	tc_buffer_append_json(&buffer, "a\"b\\c\n\r\t\x01\x1f\x7f\xc3\xa9/");
	assert_string_equal(buffer.data, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\\u007f\xc3\xa9/\"");
}

static void test_steal(void **state)
{
	TC_BUFFER buffer = {0};
	TC_FREE char *text = NULL, *empty = tc_buffer_steal(&buffer);

	(void)state;
	assert_non_null(empty);
	assert_string_equal(empty, "");
	tc_buffer_append_text(&buffer, "mine");
	text = tc_buffer_steal(&buffer);
	assert_string_equal(text, "mine");
	assert_null(buffer.data);
	assert_int_equal(buffer.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_format_longer_than_room),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_steal),
	};

	return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
