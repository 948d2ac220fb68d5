/* pg/array.c: see array.h. Every element is quoted, so that no element can look like syntax or NULL. */
#include "pg/array.h"

#include <string.h>

void tc_array_append(struct tc_buffer *array, const char *element)
{
	tc_buffer_append(array, array->length ? "," : "{", 1);
	if (!element) {
		tc_buffer_append_text(array, "NULL");
		return;
	}
	tc_buffer_append(array, "\"", 1);
	while (*element) {
		size_t plain = strcspn(element, "\"\\");

		tc_buffer_append(array, element, plain);
		element += plain;
		if (!*element)
			break;
		tc_buffer_append(array, "\\", 1);
		tc_buffer_append(array, element, 1);
		element++;
	}
	tc_buffer_append(array, "\"", 1);
}

const char *tc_array_finish(struct tc_buffer *array)
{
	if (array->length == 0)
		tc_buffer_append(array, "{", 1);
	tc_buffer_append(array, "}", 1);
	return array->failed ? NULL : array->data;
}
