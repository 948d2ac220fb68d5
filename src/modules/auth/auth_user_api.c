/* modules/auth/auth_user_api.c: procedures of users. All need auth.user.manage. One that brings a password
 * goes to the hashing thread first, and on to the work executor. */
#include "core/app.h"
#include "core/procedure/idempotency.h"
#include "core/procedure/reply.h"
#include "modules/auth/auth.h"
#include "modules/auth/auth_password.h"
#include "modules/auth/auth_user.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_choices[] = {"admin", "manager", "viewer", NULL};

/* The call's state: the hash of the password it brought. */
struct hashed {
	char hash[TC_AUTH_PASSWORD_HASH_SIZE];
};

static void free_hashed(void *state)
{
	sodium_memzero(state, sizeof(struct hashed));
	free(state);
}

static const char *hash_of(const struct tc_call *call)
{
	const struct hashed *hashed = tc_call_state(call);

	return hashed ? hashed->hash : NULL;
}

static struct tocsin_pool *pool_of(const struct tc_call *call)
{
	return tc_call_app(call)->work_pool;
}

static bool is_own(const struct tc_call *call)
{
	const char *own = tc_call_caller(call)->id;

	return strncmp(own, "user:", 5) == 0 && strcmp(own + 5, tc_call_string(call, "id")) == 0;
}

/* --- with a password --- */

static void hash_password(struct tc_call *call, void (*then)(struct tc_job *job))
{
	struct hashed *hashed = calloc(1, sizeof(*hashed));
	struct tocsin_error error;
	int result = hashed ? tc_auth_password_hash(tc_call_string(call, "password"), hashed->hash,
						    &error)
			    : tocsin_error_set(&error, TOCSIN_E_NOMEM, "out of memory");

	if (result) {
		free(hashed);
		tc_call_reply_error(call, &error);
		return;
	}
	tc_call_set_state(call, hashed, free_hashed);
	tc_idempotency_rejoin(call, then);
}

static struct tc_auth_user_request request_of(const struct tc_call *call)
{
	return (struct tc_auth_user_request){
		.name = tc_call_string(call, "name"),
		.role = tc_call_string(call, "role"),
		.password_hash = hash_of(call),
		.actor = tc_call_caller(call)->id,
	};
}

static void create_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	const struct tc_auth_user_request request = request_of(call);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_auth_user_create(pool_of(call), &request, &json, &error);

	tc_reply_result(call, result, 201, &json, &error);
}

static void hash_created_job(struct tc_job *job)
{
	hash_password(tc_call_from_job(job), create_job);
}

/* False, with the call answered, for a name that cannot be: before time is spent on hashing. */
static bool check_name(struct tc_call *call)
{
	const char *name = tc_call_string(call, "name");
	struct tc_problem problem = {.status = 400, .detail = "The input has a mistake"};
	struct tocsin_error error;

	if (!name || tc_auth_user_check_name(name, &error) == TOCSIN_OK)
		return true;
	tc_problem_add(&problem, "/name",
		       "must have no control characters, and no spaces around it");
	tc_call_reply_problem(call, &problem);
	return false;
}

static void run_create_user(struct tc_call *call)
{
	if (check_name(call))
		tc_auth_submit(tc_call_app(call)->auth, call, hash_created_job);
}

static void update_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	const struct tc_auth_user_request request = request_of(call);
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_auth_user_update(pool_of(call), tc_call_string(call, "id"), &request, &json,
					 &error);

	if (result == TOCSIN_OK)
		tc_auth_forget_later(call);
	tc_reply_result(call, result, 200, &json, &error);
}

static void hash_updated_job(struct tc_job *job)
{
	hash_password(tc_call_from_job(job), update_job);
}

static void run_update_user(struct tc_call *call)
{
	if (tc_call_string(call, "role") && is_own(call) &&
	    strcmp(tc_call_string(call, "role"), tc_call_caller(call)->role) != 0)
		tc_call_reply_problem_text(call, 409,
					   "Nobody changes the own role: another admin may");
	else if (!check_name(call))
		return;
	else if (tc_call_string(call, "password"))
		tc_auth_submit(tc_call_app(call)->auth, call, hash_updated_job);
	else
		tc_call_submit(call, tc_call_app(call)->work, update_job);
}

/* --- without --- */

static void run_delete_user(struct tc_call *call)
{
	struct tocsin_error error;

	if (is_own(call)) {
		tc_call_reply_problem_text(call, 409,
					   "Nobody deletes the own user: another admin may");
		return;
	}
	if (tc_auth_user_delete(pool_of(call), tc_call_string(call, "id"), tc_call_caller(call)->id,
				&error)) {
		tc_call_reply_error(call, &error);
		return;
	}
	tc_auth_forget_later(call);
	tc_call_reply_empty(call, 204);
}

static void run_list_users(struct tc_call *call)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_auth_user_list(pool_of(call),
				       (unsigned)tc_call_integer(call, "limit", TC_LIST_DEFAULT),
				       tc_call_string(call, "cursor"), &json, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

/* --- the table --- */

#define USER_ID                                                                                    \
	{                                                                                          \
		.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH, .flags = TC_REQUIRED,    \
		.description = "The user's id"                                                     \
	}
#define NAME(needed)                                                                               \
	{                                                                                          \
		.name = "name", .type = TC_FIELD_STRING, .flags = (needed), .min = 1,              \
		.max = TC_AUTH_USER_NAME_MAX, .pattern = TC_AUTH_USER_NAME_PATTERN,                \
		.description = "What the user logs in with; unique without regard to case; "       \
			       "no control characters, no spaces around it"                        \
	}
#define ROLE(needed)                                                                               \
	{                                                                                          \
		.name = "role", .type = TC_FIELD_ENUM, .flags = (needed), .choices = role_choices, \
		.description = "What the user may do"                                              \
	}
#define PASSWORD(needed)                                                                           \
	{                                                                                          \
		.name = "password", .type = TC_FIELD_STRING, .flags = (needed),                    \
		.min = TC_AUTH_PASSWORD_MIN, .max = TC_AUTH_PASSWORD_MAX,                          \
		.description = "The user's password; a new one ends all sessions"                  \
	}
#define END                                                                                        \
	{                                                                                          \
		.type = TC_FIELD_END                                                               \
	}

static const struct tc_field create_fields[] = {NAME(TC_REQUIRED), ROLE(TC_REQUIRED),
						PASSWORD(TC_REQUIRED), END};
static const struct tc_field update_fields[] = {USER_ID, NAME(0), ROLE(0), PASSWORD(0), END};
static const struct tc_field delete_fields[] = {USER_ID, END};
static const struct tc_field list_fields[] = {
	TC_FIELD_LIST_LIMIT(TC_AUTH_USER_LIST_MAX, "Most users in the answer; 50 unless given"),
	TC_FIELD_LIST_CURSOR,
	END,
};

const struct tc_procedure tc_auth_user_procedures[] = {
	{.name = "listUsers",
	 .group = "auth",
	 .method = TC_GET,
	 .path = "/api/v1/users",
	 .rule = TC_RULE_USER_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = list_fields,
	 .run = run_list_users,
	 .answers = "200 UserPage",
	 .summary = "Lists users, newest first"},
	{.name = "createUser",
	 .group = "auth",
	 .method = TC_POST,
	 .path = "/api/v1/users",
	 .rule = TC_RULE_USER_MANAGE,
	 .run_on = TC_RUN_INLINE,
	 .fields = create_fields,
	 .run = run_create_user,
	 .answers = "201 User",
	 .refuses = "409",
	 .summary = "Makes a user who can log in"},
	{.name = "updateUser",
	 .group = "auth",
	 .method = TC_PATCH,
	 .path = "/api/v1/users/{id}",
	 .rule = TC_RULE_USER_MANAGE,
	 .run_on = TC_RUN_INLINE,
	 .fields = update_fields,
	 .run = run_update_user,
	 .answers = "200 User",
	 .refuses = "404 409",
	 .summary = "Changes name, role or password of a user, on every node at once"},
	{.name = "deleteUser",
	 .group = "auth",
	 .method = TC_DELETE,
	 .path = "/api/v1/users/{id}",
	 .rule = TC_RULE_USER_MANAGE,
	 .run_on = TC_RUN_WORK,
	 .fields = delete_fields,
	 .run = run_delete_user,
	 .answers = "204",
	 .refuses = "404 409",
	 .summary = "Deletes a user, and ends all sessions of the user"},
	{0},
};
