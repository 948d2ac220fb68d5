/* http/problem.h: RFC 9457 problem documents: type, title, status, detail, and errors[] of input. */
#pragma once

#include "base/buffer.h"

struct tc_problem_error {
	char pointer
		[128]; /* JSON pointer into the body, or the name of a query or path parameter */
	char detail[192];
};

#define TC_PROBLEM_ERRORS_MAX 16

struct tc_problem {
	unsigned status;
	char detail[512];
	unsigned errors_count; /* further ones are dropped */
	struct tc_problem_error errors[TC_PROBLEM_ERRORS_MAX];
};

/* "Not Found" for 404, and so on. */
const char *tc_problem_title(unsigned status);
void tc_problem_format(const struct tc_problem *problem, struct tc_buffer *ret_body);
void tc_problem_add(struct tc_problem *problem, const char *pointer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
