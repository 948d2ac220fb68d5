/* modules/auth/auth_session_api.c: logging in and out, and who one is.
 *
 * A log-in goes: HTTP thread (where the client's address can be had), work executor (counted, user looked
 * up), hashing thread, work executor again (session made). An unknown user goes the same way to the same
 * answer, so that names cannot be probed. */
#include "base/clock.h"
#include "base/log.h"
#include "core/app.h"
#include "core/procedure/idempotency.h"
#include "core/procedure/reply.h"
#include "modules/auth/auth.h"
#include "modules/auth/auth_login.h"
#include "modules/auth/auth_user.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_PER_HOUR 3600u

/* The call's state between its steps. */
struct attempt {
	struct tc_auth_login login;
	bool is_secure; /* the browser spoke TLS */
	char new_hash[TC_AUTH_PASSWORD_HASH_SIZE];
};

static void free_attempt(void *state)
{
	sodium_memzero(state, sizeof(struct attempt));
	free(state);
}

/* NULL when memory ran out, and the call is answered. */
static struct attempt *start_attempt(struct tc_call *call)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (attempt)
		tc_call_set_state(call, attempt, free_attempt);
	else
		tc_call_reply_problem_text(call, 503, "Out of memory; try again");
	return attempt;
}

static const struct tc_auth_options *options_of(const struct tc_call *call)
{
	return tc_auth_get_options(tc_call_app(call)->auth);
}

/* --- who one is --- */

static void append_member(struct tc_buffer *out, const char *name, const char *text)
{
	tc_buffer_append_format(out, ",\"%s\":", name);
	tc_buffer_append_json(out, text);
}

static void format_caller(const struct tc_caller *caller, struct tc_buffer *out)
{
	const char *colon = strchr(caller->id, ':'), *separator = "";
	char ends[TC_TIMESTAMP_SIZE];

	tc_buffer_append_format(out, "{\"kind\":\"%.*s\",\"rules\":[",
				colon ? (int)(colon - caller->id) : (int)strlen("anonymous"),
				colon ? caller->id : "anonymous");
	for (const struct tc_rule *rule = tc_rules; rule->name; rule++) {
		if (!(caller->rules & rule->rule))
			continue;
		tc_buffer_append_format(out, "%s\"%s\"", separator, rule->name);
		separator = ",";
	}
	tc_buffer_append_text(out, "]");
	if (colon) {
		append_member(out, "id", colon + 1);
		append_member(out, "name", caller->name);
	}
	if (caller->role)
		append_member(out, "role", caller->role);
	if (caller->session[0]) {
		tc_clock_format(caller->session_ends_ms, ends);
		append_member(out, "csrfToken", caller->csrf);
		append_member(out, "expiresAt", ends);
	}
	tc_buffer_append_text(out, "}");
}

static void run_get_session(struct tc_call *call)
{
	TC_BUFFER body = {0};

	format_caller(tc_call_caller(call), &body);
	tc_call_reply_buffer(call, 200, &body);
}

/* Goes on to the password. Without room for that nobody looks at it: then the attempt does not count, or whoever
 * tries again, as told, is kept out though nothing failed. */
static void submit_attempt(struct tc_call *call, void (*run)(struct tc_job *job))
{
	int result = tc_auth_try_submit(tc_call_app(call)->auth, call, run);
	struct attempt *attempt;
	struct tocsin_error error;

	if (result == TOCSIN_OK)
		return; /* the call is not ours any more */
	attempt = tc_call_state(call);
	if (tc_auth_login_take_back(tc_call_app(call)->work_pool, &attempt->login, &error))
		tc_log_warning("auth.take_back",
			       "an attempt to log in counts, though its "
			       "password was not looked at: %s",
			       error.message);
	tc_call_reply_busy(call, result);
}

/* --- logging in --- */

/* A page of another site must not log its visitors in as somebody: they would work for him. It cannot send JSON
 * without being asked where it is from, by its browser; this is for one that forgets to ask. */
static bool is_from_elsewhere(const struct tc_http_request *request)
{
	const char *origin = tc_http_request_header(request, "Origin");
	const char *host = tc_http_request_header(request, "Host");

	return origin && !(host && tc_auth_origin_matches(origin, host));
}

static void reply_limited(struct tc_call *call, unsigned wait_s)
{
	tc_call_set_retry_after(call, wait_s);
	tc_call_reply_problem_text(call, 429, "Too many attempts to log in; try again in %u s",
				   wait_s);
}

static void reply_logged_in(struct tc_call *call, const struct tc_auth_login_session *session,
			    bool is_secure)
{
	TC_BUFFER body = {0};
	char *cookie = tc_auth_session_format_cookie(
		session->token, options_of(call)->session_hours * SECONDS_PER_HOUR, is_secure);

	if (!cookie) {
		tc_call_reply_problem_text(call, 503, "Out of memory; try again");
		return;
	}
	tc_call_set_cookie(call, cookie);
	format_caller(&session->caller, &body);
	tc_call_reply_buffer(call, 201, &body);
}

static void reply_wrong(struct tc_call *call)
{
	tc_call_reply_problem_text(call, 401, "The name or the password is wrong");
}

static void open_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	const struct attempt *attempt = tc_call_state(call);
	struct tc_auth_login_session session;
	struct tocsin_error error;
	int result = tc_auth_login_open(tc_call_app(call)->work_pool, &attempt->login,
					options_of(call)->session_hours, &session, &error);

	if (result == TOCSIN_E_NOT_FOUND)
		reply_wrong(call);
	else if (result)
		tc_call_reply_error(call, &error);
	else
		reply_logged_in(call, &session, attempt->is_secure);
	sodium_memzero(&session, sizeof(session));
}

static void verify_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	const struct attempt *attempt = tc_call_state(call);
	const char *hash = attempt->login.is_known ? attempt->login.password_hash : NULL;

	if (tc_auth_password_matches(hash, tc_call_string(call, "password")))
		tc_call_submit(call, tc_call_app(call)->work, open_job);
	else
		reply_wrong(call);
}

static void admit_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	struct attempt *attempt = tc_call_state(call);
	struct tocsin_error error;
	unsigned wait_s = 0;
	int result =
		tc_auth_login_admit(tc_call_app(call)->work_pool, &attempt->login, &wait_s, &error);

	if (result == TOCSIN_OK)
		submit_attempt(call, verify_job);
	else if (wait_s)
		reply_limited(call, wait_s);
	else
		tc_call_reply_error(call, &error);
}

static void run_log_in(struct tc_call *call)
{
	const struct tc_http_request *request = tc_call_request(call);
	const struct tc_auth_options *options = options_of(call);
	struct attempt *attempt;

	if (is_from_elsewhere(request)) {
		tc_call_reply_problem_text(
			call, 403, "Logging in needs an Origin, if any, that is this server");
		return;
	}
	attempt = start_attempt(call);
	if (!attempt)
		return;
	tc_auth_client_format(tc_call_address(call),
			      options->trust_proxy ? tc_call_forwarded(call) : NULL,
			      attempt->login.client);
	attempt->login.name = tc_call_string(call, "name");
	attempt->is_secure = options->cookie_secure ||
			     tc_auth_is_tls(tc_http_request_header(request, "X-Forwarded-Proto"));
	tc_call_submit(call, tc_call_app(call)->work, admit_job);
}

/* --- logging out --- */

static void forget_session(struct tc_call *call)
{
	tc_auth_forget(tc_call_app(call)->auth, tc_call_caller(call)->session);
}

static void run_log_out(struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);
	char *cookie = tc_auth_session_format_cookie(
		NULL, 0, options_of(call)->cookie_secure || caller->has_secure_cookie);
	struct tocsin_error error;

	if (caller->session[0]) {
		if (tc_auth_login_close(tc_call_app(call)->work_pool, caller->session, caller->id,
					&error)) {
			free(cookie);
			tc_call_reply_error(call, &error);
			return;
		}
		tc_call_when_committed(call, forget_session);
	}
	if (cookie) /* else the browser keeps one that is worth nothing */
		tc_call_set_cookie(call, cookie);
	tc_call_reply_empty(call, 204);
}

/* --- a new password --- */

static void replace_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	const struct attempt *attempt = tc_call_state(call);
	const struct tc_caller *caller = tc_call_caller(call);
	const struct tc_auth_user_request request = {
		.password_hash = attempt->new_hash,
		.password_version = attempt->login.password_version,
		.kept_session = caller->session,
		.actor = caller->id,
	};
	struct tocsin_error error;
	int result = tc_auth_user_update(tc_call_app(call)->work_pool, attempt->login.user_id,
					 &request, NULL, &error);

	if (result == TOCSIN_E_NOT_FOUND) { /* somebody deleted the user after the first look */
		tc_call_reply_problem_text(call, 401, "The session is over: its user is gone");
		return;
	}
	if (result == TOCSIN_OK)
		tc_auth_forget_later(call);
	tc_reply_done(call, result, &error);
}

static void reply_wrong_password(struct tc_call *call)
{
	struct tc_problem problem = {.status = 400, .detail = "The input has a mistake"};

	tc_problem_add(&problem, "/currentPassword", "is wrong");
	tc_call_reply_problem(call, &problem);
}

static void rehash_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	struct attempt *attempt = tc_call_state(call);
	const char *hash = attempt->login.is_known ? attempt->login.password_hash : NULL;
	struct tocsin_error error;

	if (!tc_auth_password_matches(hash, tc_call_string(call, "currentPassword")))
		reply_wrong_password(call);
	else if (tc_auth_password_hash(tc_call_string(call, "newPassword"), attempt->new_hash,
				       &error))
		tc_call_reply_error(call, &error);
	else
		tc_idempotency_rejoin(call, replace_job);
}

static void admit_again_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	struct attempt *attempt = tc_call_state(call);
	struct tocsin_error error;
	unsigned wait_s = 0;
	int result = tc_auth_login_admit_again(tc_call_app(call)->work_pool, &attempt->login,
					       &wait_s, &error);

	if (result == TOCSIN_OK)
		submit_attempt(call, rehash_job);
	else if (wait_s)
		reply_limited(call, wait_s);
	else
		tc_call_reply_error(call, &error);
}

/* Who has somebody's session must not find out the password by trying, either: it is limited like a log-in. The
 * attempt counts whatever becomes of the call, so it is no part of the transaction of an Idempotency-Key. */
static void run_change_password(struct tc_call *call)
{
	const struct tc_caller *caller = tc_call_caller(call);
	struct attempt *attempt = start_attempt(call);

	if (!attempt)
		return;
	snprintf(attempt->login.user_id, sizeof(attempt->login.user_id), "%s",
		 caller->id + strlen("user:"));
	tc_idempotency_leave(call);
	tc_call_submit(call, tc_call_app(call)->work, admit_again_job);
}

/* --- the table --- */

/* A password that could not be chosen today may have been chosen before: at log-in any length will do. */
static const struct tc_field log_in_fields[] = {
	{.name = "name",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_AUTH_USER_NAME_MAX,
	 .description = "The user's name, in any case"},
	{.name = "password",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_AUTH_PASSWORD_MAX,
	 .description = "The user's password"},
	{.type = TC_FIELD_END},
};

static const struct tc_field no_fields[] = {{.type = TC_FIELD_END}};

static const struct tc_field change_fields[] = {
	{.name = "currentPassword",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = 1,
	 .max = TC_AUTH_PASSWORD_MAX,
	 .description = "The password until now"},
	{.name = "newPassword",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = TC_AUTH_PASSWORD_MIN,
	 .max = TC_AUTH_PASSWORD_MAX,
	 .description = "The password from now on"},
	{.type = TC_FIELD_END},
};

const struct tc_procedure tc_auth_session_procedures[] = {
	{.name = "logIn",
	 .group = "auth",
	 .method = TC_POST,
	 .path = "/api/v1/session",
	 .rule = TC_RULE_NONE,
	 .run_on = TC_RUN_INLINE,
	 .flags = TC_CALLER_IGNORED | TC_CLIENT_KNOWN,
	 .fields = log_in_fields,
	 .run = run_log_in,
	 .answers = "201 Caller",
	 .refuses = "401 403 409 429",
	 .summary = "Logs a user in: sets a cookie, and answers with the token for X-Tocsin-CSRF"},
	{.name = "logOut",
	 .group = "auth",
	 .method = TC_DELETE,
	 .path = "/api/v1/session",
	 .rule = TC_RULE_NONE,
	 .run_on = TC_RUN_WORK,
	 .fields = no_fields,
	 .run = run_log_out,
	 .answers = "204",
	 .refuses = "409",
	 .summary = "Ends the session, and takes the cookie back"},
	{.name = "getSession",
	 .group = "auth",
	 .method = TC_GET,
	 .path = "/api/v1/session",
	 .rule = TC_RULE_NONE,
	 .run_on = TC_RUN_INLINE,
	 .fields = no_fields,
	 .run = run_get_session,
	 .answers = "200 Caller",
	 .summary = "Who the caller is, and what the caller may do"},
	{.name = "changePassword",
	 .group = "auth",
	 .method = TC_POST,
	 .path = "/api/v1/session/password",
	 .rule = TC_RULE_NONE,
	 .run_on = TC_RUN_INLINE,
	 .flags = TC_SESSION_NEEDED,
	 .fields = change_fields,
	 .run = run_change_password,
	 .answers = "204",
	 .refuses = "409 429",
	 .summary = "Changes the caller's own password, and ends the caller's other sessions"},
	{0},
};
