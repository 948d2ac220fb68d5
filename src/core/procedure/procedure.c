/* core/procedure/procedure.c: one request through the table: who calls, may they, is the input right, run it.
 *
 * Everything of the request is read on the HTTP thread, before its handler returns: parameters and
 * body become JSON there, and mistakes in them a problem. What is answered first is decided in the
 * other order: 401 and 403 before 400 and 415, so that a stranger learns nothing about the input. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "core/procedure/call.h"
#include "core/procedure/credentials.h"
#include "core/procedure/cursor.h"
#include "core/procedure/idempotency.h"
#include "core/procedure/input.h"
#include "core/procedure/lookup.h"
#include "core/procedure/read.h"
#include "core/procedure/router.h"
#include "core/procedure/validate.h"
#include "http/url.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char memory_text[] = "Out of memory; try again";

/* --- running --- */

void tc_call_run(struct tc_call *call)
{
	call->has_run = true;
	if (call->procedure->read)
		tc_read_run(call);
	else
		call->procedure->run(call);
}

static void run_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);

	tc_call_run(call);
}

static void submit(struct tc_call *call)
{
	if (call->procedure->read)
		call->job.run_many = tc_read_run_many;
	tc_call_submit(call, call->options->work, run_job);
}

static void start(struct tc_call *call)
{
	if (call->claim)
		tc_call_submit(call, call->options->work, tc_idempotency_run);
	else if (call->procedure->run_on == TC_RUN_WORK)
		submit(call);
	else
		tc_call_run(call);
}

/* --- who calls --- */

static void refuse_caller(struct tc_call *call, bool needs_session)
{
	const char *name = call->procedure->name;

	if (needs_session)
		tc_call_reply_problem_text(call, call->caller.is_anonymous ? 401 : 403,
					   "%s is for users who are logged in", name);
	else if (call->caller.is_anonymous)
		tc_call_reply_problem_text(
			call, 401, "%s needs a session, or a key: Authorization: Bearer tocsin_...",
			name);
	else
		tc_call_reply_problem_text(call, 403, "This %s may not call %s",
					   call->caller.session[0] ? "user" : "key", name);
}

/* True where the caller is known and may call this; otherwise the call is answered. */
static bool admit(struct tc_call *call, enum tc_auth_answer auth, const struct tocsin_error *error)
{
	uint32_t rule = call->procedure->rule;
	bool needs_session = call->procedure->flags & TC_SESSION_NEEDED;

	if (auth == TC_AUTH_FAILED) {
		tc_call_reply_error(call, error);
		return false;
	}
	if (auth == TC_AUTH_FORGED) {
		tc_call_reply_problem_text(call, 403,
					   "With a session, any request but GET and HEAD needs its "
					   "csrfToken, which GET /api/v1/session shows, in the "
					   "header X-Tocsin-CSRF, and an Origin, if it has one, "
					   "that is this server");
		return false;
	}
	if (auth != TC_AUTH_OK) {
		tc_call_reply_problem_text(call, 401, "The key is not known, or no longer valid");
		return false;
	}
	if ((call->caller.rules & rule) == rule && (!needs_session || call->caller.session[0]))
		return true;
	refuse_caller(call, needs_session);
	return false;
}

static void authenticate_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	struct tocsin_error error = {0};
	enum tc_auth_answer auth = call->options->authenticate(call->options->app, &call->kept,
							       true, &call->caller, &error);

	if (!admit(call, auth, &error))
		return;
	if (call->problem)
		tc_call_reply_problem(call, call->problem);
	else if (call->claim)
		tc_idempotency_run(job);
	else
		tc_call_run(call); /* already where work may run */
}

/* --- the input --- */

/* A path segment, decoded, as a parameter. */
static void add_segment(const struct tc_segment *segment, const struct tc_field *field,
			json_t *parameters, struct tc_problem *problem)
{
	TC_FREE char *text = strndup(segment->text, segment->length);
	size_t length;

	if (!text) {
		problem->status = 503;
		snprintf(problem->detail, sizeof(problem->detail), "%s", memory_text);
	} else if (!tc_url_decode(text, segment->length, &length)) {
		problem->status =
			400; /* the HTTP layer has decoded the whole path: not to be reached */
		snprintf(problem->detail, sizeof(problem->detail),
			 "The URL is not UTF-8 when decoded");
	} else {
		tc_input_add_path(field, parameters, text, problem);
	}
}

struct query {
	const struct tc_route *route;
	json_t *parameters;
	struct tc_problem *problem;
};

static bool add_query(const char *name, const char *value, void *userdata)
{
	struct query *query = userdata;

	tc_input_add_query(query->route->procedure, query->route->query_places, query->parameters,
			   name, value, query->problem);
	return query->problem->errors_count < TC_PROBLEM_ERRORS_MAX;
}

static void add_header(struct tc_call *call, const struct tc_field *field, json_t *parameters,
		       struct tc_problem *problem)
{
	const char *value = tc_http_request_header(call->request, field->name);

	if (!value)
		return;
	if (tc_utf8_is_valid(value, strlen(value)))
		tc_input_add_path(field, parameters, value, problem);
	else
		tc_validate_add(problem, field->name, "must be UTF-8");
}

static void read_parameters(struct tc_call *call, const struct tc_route_match *match,
			    json_t *parameters, struct tc_problem *problem)
{
	struct query query = {match->route, parameters, problem};

	tc_http_request_query(call->request, add_query, &query);
	tc_input_check_query(call->procedure, match->route->query_places, parameters, problem);
	for (unsigned i = 0; i < match->route->segments_count; i++) {
		const struct tc_field *field = match->route->segments[i].field;

		if (field)
			add_segment(&match->segments[i], field, parameters, problem);
	}
	for (const struct tc_field *field = call->procedure->fields; field && field->type; field++)
		if (field->place == TC_IN_HEADER)
			add_header(call, field, parameters, problem);
}

/* Fills call->input; or says what is wrong, and returns false. `problem` need not be initialised. */
static bool read_input(struct tc_call *call, const struct tc_route_match *match,
		       struct tc_problem *problem)
{
	json_t *parameters = json_object();
	const char *body;
	size_t length;

	tc_input_begin(problem);
	body = tc_http_request_body(call->request, &length);
	call->input = tc_input_parse(tc_http_request_header(call->request, "Content-Type"), body,
				     length, problem);
	if (call->input && parameters) {
		tc_input_check_body(call->procedure, match->route->body_places, call->input,
				    problem);
		read_parameters(call, match, parameters, problem);
		/* Parameters win over members of a foreign body that happen to have their names. */
		if (json_object_update(call->input, parameters) != 0)
			problem->status = 503;
	} else if (!problem->status) {
		problem->status = 503;
	}
	json_decref(parameters);
	if (!problem->status)
		tc_cursor_unwrap(call->procedure, match->route->body_places, call->input, problem);
	if (problem->status == 503)
		snprintf(problem->detail, sizeof(problem->detail), "%s", memory_text);
	tc_input_end(problem);
	return problem->status == 0;
}

json_t *tc_call_parse_body(const struct tc_call *call, size_t max, struct tc_problem *problem)
{
	size_t length;
	const char *body = tc_http_request_body(call->request, &length);

	tc_input_begin(problem);
	if (length <= max)
		return tc_input_parse("application/json", body, length, problem);
	problem->status = 413;
	snprintf(problem->detail, sizeof(problem->detail), "The body has more than %zu bytes", max);
	return NULL;
}

/* --- the way through --- */

/* The caller is not known without blocking: the input is read now, while the request can be, and
 * judged when the executor knows. */
static void defer(struct tc_call *call, const struct tc_route_match *match,
		  const struct tc_credentials *credentials)
{
	bool is_kept = tc_credentials_copy(credentials, &call->kept);
	struct tc_problem problem;

	if (!read_input(call, match, &problem) ||
	    !tc_idempotency_begin(call, credentials, &problem)) {
		call->problem = malloc(sizeof(problem));
		if (call->problem)
			*call->problem = problem;
	}
	if (!is_kept || (problem.status && !call->problem))
		tc_call_reply_problem_text(call, 503, "%s", memory_text);
	else
		tc_call_submit(call, call->options->work, authenticate_job);
}

static enum tc_auth_answer identify(struct tc_call *call, const struct tc_credentials *credentials,
				    struct tocsin_error *error)
{
	if (call->procedure->flags & TC_CALLER_IGNORED) {
		call->caller = (struct tc_caller){.is_anonymous = true};
		return TC_AUTH_OK;
	}
	return call->options->authenticate(call->options->app, credentials, false, &call->caller,
					   error);
}

/* False where memory ran out: who is forwarded would count as the one who forwards. */
static bool keep_client(struct tc_call *call)
{
	const char *forwarded = tc_http_request_last_header(call->request, "X-Forwarded-For");

	tc_http_request_address(call->request, call->address);
	if (forwarded)
		call->forwarded = strdup(forwarded);
	return !forwarded || call->forwarded;
}

static void process(struct tc_call *call, const struct tc_route_match *match)
{
	struct tocsin_error error = {0};
	struct tc_credentials credentials;
	struct tc_problem problem;
	enum tc_auth_answer auth;

	if (call->procedure->flags & TC_FOREIGN) {
		call->caller.is_anonymous = true;
		start(call);
		return;
	}
	if (call->procedure->flags & TC_CLIENT_KNOWN && !keep_client(call)) {
		tc_call_reply_problem_text(call, 503, "%s", memory_text);
		return;
	}
	tc_credentials_get(call->request, call->is_read, &credentials);
	auth = identify(call, &credentials, &error);
	if (auth == TC_AUTH_AGAIN) {
		defer(call, match, &credentials);
		return;
	}
	if (!admit(call, auth, &error) || tc_lookup(call, match))
		return;
	if (read_input(call, match, &problem) && tc_idempotency_begin(call, &credentials, &problem))
		start(call);
	else
		tc_call_reply_problem(call, &problem);
}

static void refuse(struct tc_call *call, unsigned methods, const char *method)
{
	char allow[TC_ALLOW_SIZE];

	if (methods == 0) {
		tc_call_reply_problem_text(call, 404, "There is nothing at %s",
					   tc_http_request_path(call->request));
		return;
	}
	tc_route_allow(methods, allow);
	call->allow = allow;
	tc_call_reply_problem_text(call, 405, "%s is not allowed here; %s is", method, allow);
}

/* Without memory for it the client gets the whole answer, which is as good. */
static void keep_validator(struct tc_call *call)
{
	const char *text =
		call->is_read ? tc_http_request_header(call->request, "If-None-Match") : NULL;

	if (text)
		call->if_none_match = strdup(text);
}

void tc_router_handle(struct tc_http_request *request, void *userdata)
{
	const struct tc_router *router = userdata;
	const char *method = tc_http_request_method(request);
	struct tc_call *call = calloc(1, sizeof(*call));
	struct tc_route_match match;

	if (!call) {
		tc_http_respond(request, &(struct tc_http_response){.status = 503});
		return;
	}
	call->request = request;
	call->options = &router->options;
	call->job.expire = tc_call_expire;
	call->started_us = tc_clock_us();
	call->is_read = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	call->index = TC_CALL_UNMATCHED;
	tc_list_init(&call->job.node);
	keep_validator(call);
	tc_route_find(router, method, tc_http_request_path(request), &match);
	if (!match.route) {
		refuse(call, match.methods, method);
		return;
	}
	call->procedure = match.route->procedure;
	call->index = match.route->index;
	process(call, &match);
}
