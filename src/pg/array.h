/* pg/array.h: text of a one-dimensional PostgreSQL array parameter: {"a","b",NULL}
 * (PostgreSQL manual, "Array Input and Output Syntax"). */
#pragma once

#include "base/buffer.h"

/* Elements go in one by one; NULL is SQL NULL. `finish` closes the brace and returns the text, owned
 * by the buffer, or NULL if memory ran out. A zeroed buffer starts an array. */
void tc_array_append(struct tc_buffer *array, const char *element);
const char *tc_array_finish(struct tc_buffer *array);
