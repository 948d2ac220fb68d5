/* core/procedure/call.c: what a handler asks of its call, and the answers; see procedure.h. Every answer goes
 * through tc_answer (answer.h). */
#include "core/procedure/call.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "core/procedure/answer.h"
#include "core/procedure/credentials.h"
#include "core/procedure/idempotency.h"
#include "http/stream.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE    "application/json"
#define PROBLEM_TYPE "application/problem+json"

static const char failed_text[] = "The server failed to answer; the log says why";

struct tc_app *tc_call_app(const struct tc_call *call)
{
	return call->options->app;
}

const struct tc_caller *tc_call_caller(const struct tc_call *call)
{
	return &call->caller;
}

const struct tc_procedure *tc_call_procedure(const struct tc_call *call)
{
	return call->procedure;
}

json_t *tc_call_input(const struct tc_call *call)
{
	return call->input;
}

const char *tc_call_string(const struct tc_call *call, const char *field)
{
	return json_string_value(json_object_get(call->input, field));
}

bool tc_call_boolean(const struct tc_call *call, const char *field, bool fallback)
{
	const json_t *value = json_object_get(call->input, field);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

int64_t tc_call_integer(const struct tc_call *call, const char *field, int64_t fallback)
{
	const json_t *value = json_object_get(call->input, field);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool tc_call_has(const struct tc_call *call, const char *field)
{
	return json_object_get(call->input, field);
}

const struct tc_http_request *tc_call_request(const struct tc_call *call)
{
	return call->request;
}

const char *tc_call_address(const struct tc_call *call)
{
	return call->address;
}

const char *tc_call_forwarded(const struct tc_call *call)
{
	return call->forwarded;
}

uint64_t tc_call_started_us(const struct tc_call *call)
{
	return call->started_us;
}

void tc_call_set_cookie(struct tc_call *call, char *cookie)
{
	free(call->set_cookie);
	call->set_cookie = cookie;
}

void tc_call_set_retry_after(struct tc_call *call, unsigned seconds)
{
	call->retry_after_s = seconds;
}

void tc_call_set_state(struct tc_call *call, void *state, void (*free_state)(void *state))
{
	assert(!call->state);
	call->state = state;
	call->free_state = free_state;
}

void *tc_call_state(const struct tc_call *call)
{
	return call->state;
}

int tc_call_try_submit(struct tc_call *call, struct tc_executor *executor,
		       void (*run)(struct tc_job *job))
{
	if (tc_idempotency_is_joined(call)) {
		run(&call->job); /* the transaction is this thread's */
		return TOCSIN_OK;
	}
	call->job.run = run;
	return tc_executor_submit(executor, &call->job);
}

void tc_call_submit(struct tc_call *call, struct tc_executor *executor,
		    void (*run)(struct tc_job *job))
{
	int result = tc_call_try_submit(call, executor, run);

	if (result)
		tc_call_reply_busy(call, result);
}

void tc_call_reply_busy(struct tc_call *call, int result)
{
	tc_call_reply_problem_text(call, 503, "%s; try again",
				   result == TOCSIN_E_FULL ? "The server is too busy"
							   : "The server is stopping");
}

struct tc_job *tc_call_job(struct tc_call *call)
{
	return &call->job;
}

struct tc_call *tc_call_from_job(struct tc_job *job)
{
	return tc_container_of(job, struct tc_call, job);
}

void tc_call_free(struct tc_call *call)
{
	json_decref(call->input);
	tc_credentials_deinit(&call->kept);
	free(call->forwarded);
	free(call->set_cookie);
	if (call->state)
		call->free_state(call->state);
	free(call->problem);
	free(call->if_none_match);
	tc_idempotency_free(call->claim);
	free(call);
}

void tc_call_reply_content(struct tc_call *call, unsigned status, const char *content_type,
			   char *body, size_t length)
{
	struct tc_http_response response = {.status = status,
					    .content_type = content_type,
					    .body = body,
					    .body_length = length};

	if (!body) {
		tc_call_reply_problem_text(call, 503, "Out of memory; try again");
		return;
	}
	tc_answer(call, &response);
}

void tc_call_set_unchanged(struct tc_call *call)
{
	call->is_unchanged = true;
}

void tc_call_set_follower(struct tc_call *call)
{
	tc_http_request_go_behind(call->request);
}

void tc_call_when_committed(struct tc_call *call, void (*committed)(struct tc_call *call))
{
	call->committed = committed;
}

void tc_call_reply(struct tc_call *call, unsigned status, char *body, size_t length)
{
	tc_call_reply_content(call, status, JSON_TYPE, body, length);
}

void tc_call_reply_buffer(struct tc_call *call, unsigned status, struct tc_buffer *body)
{
	size_t length = body->length;

	tc_call_reply(call, status, tc_buffer_steal(body), length);
}

void tc_call_reply_copy(struct tc_call *call, unsigned status, const char *json)
{
	tc_call_reply(call, status, strdup(json), strlen(json));
}

void tc_call_reply_empty(struct tc_call *call, unsigned status)
{
	struct tc_http_response response = {.status = status};

	tc_answer(call, &response);
}

int tc_call_stream(struct tc_call *call, const struct tc_http_stream_options *options,
		   struct tc_http_stream **ret_stream, struct tocsin_error *error)
{
	int result = tc_http_stream_start(call->request, options, ret_stream, error);

	if (result)
		return result;
	tc_metrics_request(call->index, 200, tc_clock_us() - call->started_us);
	tc_call_free(call);
	return TOCSIN_OK;
}

void tc_call_reply_problem(struct tc_call *call, const struct tc_problem *problem)
{
	TC_BUFFER body = {0};
	struct tc_http_response response = {.status = problem->status,
					    .content_type = PROBLEM_TYPE};

	tc_problem_format(problem, &body);
	response.body_length = body.length;
	response.body = tc_buffer_steal(&body);
	if (!response.body) /* no memory to explain: the status says enough */
		response = (struct tc_http_response){.status = problem->status};
	tc_answer(call, &response);
}

void tc_call_reply_problem_text(struct tc_call *call, unsigned status, const char *format, ...)
{
	struct tc_problem problem;
	va_list arguments;

	problem.status = status;
	problem.errors_count = 0;
	va_start(arguments, format);
	vsnprintf(problem.detail, sizeof(problem.detail), format, arguments);
	va_end(arguments);
	tc_call_reply_problem(call, &problem);
}

void tc_call_expire(struct tc_job *job)
{
	tc_call_reply_problem_text(tc_call_from_job(job), 503, "The server is too busy; try again");
}

/* Codes that are not here are 500. Where the database spoke, or where a sentence may name hosts or
 * SQL, the caller sees ours. */
static const struct {
	unsigned status;
	bool shows_own; /* the error's own sentence is for callers, unless the database wrote it */
	const char *text; /* otherwise */
	bool passes;      /* a conflict that does: it gets Retry-After; 503 has it anyway */
} replies[TOCSIN_E_COUNT] = {
	[TOCSIN_E_INVALID] = {400, true, "The database refused the input", false},
	[TOCSIN_E_NOMEM] = {503, false, "Out of memory; try again", false},
	[TOCSIN_E_TIMEOUT] = {503, true, "No database connection came free in time; try again",
			      false},
	[TOCSIN_E_UNAVAILABLE] = {503, false, "The database cannot be reached; try again", false},
	[TOCSIN_E_FULL] = {503, true, "The server is too busy; try again", false},
	[TOCSIN_E_CLOSED] = {503, false, "The server is stopping; try again", false},
	[TOCSIN_E_LOCK_BUSY] = {409, true, "Somebody else holds the lock; try again", true},
	[TOCSIN_E_LOCK_TIMEOUT] = {409, true, "The lock was not granted in time; try again", true},
	[TOCSIN_E_LOCK_HELD] = {409, true, "The lock is already held", true},
	[TOCSIN_E_LOCK_LOST] = {409, true, "The lock was lost, and nothing was changed; try again",
				true},
	[TOCSIN_E_DEADLOCK] = {409, false, "Two operations waited for each other; try again", true},
	[TOCSIN_E_RETRY] = {409, false, "Another operation changed the same data; try again", true},
	[TOCSIN_E_EXISTS] = {409, true, "It exists already", false},
	[TOCSIN_E_NOT_FOUND] = {404, true, "There is no such thing", false},
};

void tc_call_reply_error(struct tc_call *call, const struct tocsin_error *error)
{
	bool known = error->code > 0 && error->code < TOCSIN_E_COUNT && replies[error->code].status;

	if (!known) {
		tc_log_error("call.failed", "%s: %s: %s%s%s",
			     call->procedure ? call->procedure->name : "unmatched",
			     tocsin_error_name(error->code), error->message,
			     error->sqlstate[0] ? " SQLSTATE " : "", error->sqlstate);
		tc_call_reply_problem_text(call, 500, "%s", failed_text);
		return;
	}
	if (replies[error->code].passes)
		tc_call_set_retry_after(call, 1);
	if (replies[error->code].shows_own && !error->sqlstate[0] && error->message[0]) {
		tc_call_reply_problem_text(call, replies[error->code].status, "%s", error->message);
		return;
	}
	tc_log_debug("call.refused", "%s: %s: %s",
		     call->procedure ? call->procedure->name : "unmatched",
		     tocsin_error_name(error->code), error->message);
	tc_call_reply_problem_text(call, replies[error->code].status, "%s",
				   replies[error->code].text);
}
