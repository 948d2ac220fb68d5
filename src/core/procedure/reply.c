/* core/procedure/reply.c: see reply.h. */
#include "core/procedure/reply.h"

#include <sodium.h>
#include <stdio.h>

const char *tc_reply_actor(const struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);

	return caller->id[0] ? caller->id : NULL;
}

void tc_reply_result(struct tc_call *call, int result, unsigned status, struct tc_buffer *json,
		     const struct tocsin_error *error)
{
	if (result)
		tc_call_reply_error(call, error);
	else
		tc_call_reply_buffer(call, status, json);
}

void tc_reply_done(struct tc_call *call, int result, const struct tocsin_error *error)
{
	if (result)
		tc_call_reply_error(call, error);
	else
		tc_call_reply_empty(call, 204);
}

void tc_reply_unless_taken(struct tc_call *call, int result, unsigned status,
			   struct tc_buffer *json, const char *field,
			   const struct tocsin_error *error)
{
	struct tc_problem problem = {.status = 409};
	char pointer[32];

	if (result != TOCSIN_E_EXISTS || !field) {
		tc_reply_result(call, result, status, json, error);
		return;
	}
	snprintf(problem.detail, sizeof(problem.detail), "%s", error->message);
	snprintf(pointer, sizeof(pointer), "/%s", field);
	tc_problem_add(&problem, pointer, "is taken");
	tc_call_reply_problem(call, &problem);
}

void tc_reply_secret(struct tc_call *call, const char *name, char *secret, size_t size,
		     const struct tc_buffer *json)
{
	TC_BUFFER body = {0};

	tc_buffer_append_format(&body, "{\"%s\": \"%s\", ", name, secret);
	tc_buffer_append(&body, json->data + 1, json->length - 1);
	sodium_memzero(secret, size);
	tc_call_reply_buffer(call, 201, &body);
}
