/* http/problem.c: see problem.h. */
#include "http/problem.h"

#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	unsigned status;
	const char *title;
} titles[] = {
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
};

const char *tc_problem_title(unsigned status)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(titles); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return status >= 500 ? "Server Error" : "Error";
}

/* A text cut to its array may end within a character: drop what is left of it. */
static void trim_cut_character(char *text)
{
	size_t length = strlen(text), tail = 0;

	while (tail < 3 && tail < length && ((unsigned char)text[length - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail < length && ((unsigned char)text[length - 1 - tail] & 0xc0) == 0xc0)
		tail++;
	if (!tc_utf8_is_valid(text + length - tail, tail))
		text[length - tail] = '\0';
}

void tc_problem_add(struct tc_problem *problem, const char *pointer, const char *format, ...)
{
	struct tc_problem_error *error;
	va_list arguments;

	if (problem->errors_count >= TC_PROBLEM_ERRORS_MAX)
		return;
	error = &problem->errors[problem->errors_count++];
	snprintf(error->pointer, sizeof(error->pointer), "%s", pointer);
	trim_cut_character(error->pointer);
	va_start(arguments, format);
	vsnprintf(error->detail, sizeof(error->detail), format, arguments);
	va_end(arguments);
	trim_cut_character(error->detail);
}

static void append_text(struct tc_buffer *body, const char *text)
{
	/* The document must be UTF-8 whatever ended up in a sentence (a server's message, say). */
	tc_buffer_append_json(body, tc_utf8_is_valid(text, strlen(text)) ? text : "?");
}

void tc_problem_format(const struct tc_problem *problem, struct tc_buffer *ret_body)
{
	char detail[sizeof(problem->detail)];

	tc_buffer_append_format(ret_body,
				"{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u",
				tc_problem_title(problem->status), problem->status);
	if (problem->detail[0]) {
		snprintf(detail, sizeof(detail), "%s", problem->detail);
		trim_cut_character(detail);
		tc_buffer_append_text(ret_body, ",\"detail\":");
		append_text(ret_body, detail);
	}
	for (unsigned i = 0; i < problem->errors_count; i++) {
		tc_buffer_append_text(ret_body,
				      i == 0 ? ",\"errors\":[{\"pointer\":" : ",{\"pointer\":");
		append_text(ret_body, problem->errors[i].pointer);
		tc_buffer_append_text(ret_body, ",\"detail\":");
		append_text(ret_body, problem->errors[i].detail);
		tc_buffer_append_text(ret_body, "}");
	}
	tc_buffer_append_text(ret_body, problem->errors_count > 0 ? "]}" : "}");
}
