/* core/procedure/idempotency.c: see idempotency.h. */
#include "core/procedure/idempotency.h"

#include "base/log.h"
#include "base/memory.h"
#include "core/procedure/answer.h"
#include "core/procedure/call.h"
#include "core/procedure/claim.h"
#include "pg/join.h"
#include "pg/query.h"
#include "pg/transaction.h"
#include "sql_app.h"
#include "sql_lib.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "Idempotency-Key"

/* Columns of sql/find_answer.sql. */
enum { FOUND_FINGERPRINT, FOUND_STATUS, FOUND_TYPE, FOUND_BODY };

static const char running_text[] =
	"A request with this Idempotency-Key is still running; try again";

struct tc_claim *tc_idempotency_free(struct tc_claim *claim)
{
	if (!claim)
		return NULL;
	free(claim->parked.body);
	sodium_memzero(claim, sizeof(*claim));
	free(claim);
	return NULL;
}

bool tc_idempotency_is_replay(const struct tc_call *call)
{
	return call->claim && call->claim->is_replay;
}

bool tc_idempotency_has(const struct tc_call *call)
{
	return call->claim;
}

const char *tc_idempotency_scope(const struct tc_call *call)
{
	return call->claim ? call->claim->scope_text : NULL;
}

bool tc_idempotency_is_joined(const struct tc_call *call)
{
	return call->claim && call->claim->state == TC_CLAIM_JOINED &&
	       tc_join_get() == call->claim->connection;
}

/* --- the header --- */

static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* The secret itself, however the scheme before it is written. */
static void keep_credential(struct tc_claim *claim, const char *authorization)
{
	const char *token = strrchr(authorization, ' ');

	token = token ? token + 1 : authorization;
	crypto_generichash(claim->credential, sizeof(claim->credential),
			   (const unsigned char *)token, strlen(token), NULL, 0);
	claim->has_credential = true;
}

/* Our own protocol, and a known caller changes something. */
static bool can_repeat(const struct tc_procedure *procedure)
{
	return procedure->method != TC_GET &&
	       !(procedure->flags &
		 (TC_FOREIGN | TC_UNKNOWN_FIELDS_ALLOWED | TC_CALLER_IGNORED | TC_CHANGES_NOTHING));
}

bool tc_procedure_is_idempotent(const struct tc_procedure *procedure)
{
	return procedure->method == TC_POST && can_repeat(procedure);
}

/* What counts is the request's method: at /rest every change is a POST. */
static bool is_wanted(const struct tc_call *call)
{
	return call->options->work_pool && can_repeat(call->procedure) &&
	       strcmp(tc_http_request_method(call->request), "POST") == 0;
}

bool tc_idempotency_begin(struct tc_call *call, const struct tc_credentials *credentials,
			  struct tc_problem *problem)
{
	const char *key;

	if (!is_wanted(call))
		return true;
	key = tc_http_request_header(call->request, HEADER);
	if (!key)
		return true;
	if (!*key || strlen(key) > TC_IDEMPOTENCY_KEY_MAX || !is_visible(key)) {
		*problem = (struct tc_problem){.status = 400};
		snprintf(problem->detail, sizeof(problem->detail), "The request has a bad header");
		tc_problem_add(problem, HEADER, "must be 1 to %u visible ASCII characters",
			       TC_IDEMPOTENCY_KEY_MAX);
		return false;
	}
	call->claim = calloc(1, sizeof(*call->claim));
	if (!call->claim) {
		*problem = (struct tc_problem){.status = 503};
		snprintf(problem->detail, sizeof(problem->detail), "Out of memory; try again");
		return false;
	}
	snprintf(call->claim->key, sizeof(call->claim->key), "%s", key);
	if (credentials->authorization)
		keep_credential(call->claim, credentials->authorization);
	return true;
}

/* --- looking --- */

static void reply_replay(struct tc_call *call, const PGresult *found)
{
	struct tc_claim *claim = call->claim;
	char mine[TC_CLAIM_HEX_SIZE];
	const char *type = tc_result_get(found, 0, FOUND_TYPE);
	unsigned status = (unsigned)tc_result_get_integer(found, 0, FOUND_STATUS);
	struct tc_problem problem = {.status = 422};
	struct tc_http_response response = {.status = status};

	claim->state = TC_CLAIM_SETTLED;
	tc_claim_hex(claim->fingerprint, mine);
	if (strcmp(mine, PQgetvalue(found, 0, FOUND_FINGERPRINT)) != 0) {
		snprintf(problem.detail, sizeof(problem.detail),
			 "This Idempotency-Key was used for a request with other input");
		tc_problem_add(&problem, HEADER, "was used with other input");
		tc_call_reply_problem(call, &problem);
		return;
	}
	response.body =
		tc_claim_decrypt(claim, PQgetvalue(found, 0, FOUND_BODY), &response.body_length);
	if (!response.body) {
		tc_call_reply_problem_text(call, 503, "Out of memory; try again");
		return;
	}
	claim->is_replay = true;
	response.content_type = !type                     ? NULL
				: strstr(type, "problem") ? "application/problem+json"
							  : "application/json";
	tc_answer(call, &response);
}

/* Begins, claims, looks. On success *ret_found has a row or none; *ret_claimed: the key is ours. */
static int claim_key(struct tocsin_connection *connection, const struct tc_claim *claim,
		     bool *ret_claimed, PGresult **ret_found, struct tocsin_error *error)
{
	char keep_s[12];
	const char *const values[] = {claim->scope_text, keep_s};
	TC_PIPELINE pipeline;
	unsigned lock, find;
	int result;

	snprintf(keep_s, sizeof(keep_s), "%u", TC_IDEMPOTENCY_KEEP_S);
	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_pg_begin, NULL);
	lock = tc_pipeline_add(&pipeline, &tc_sql_procedure_claim_key, values);
	find = tc_pipeline_add(&pipeline, &tc_sql_procedure_find_answer, values);
	result = tc_pipeline_run(&pipeline, error);
	if (result)
		return result;
	*ret_claimed = tc_result_is_true(pipeline.results[lock], 0, 0);
	*ret_found = tc_take(pipeline.results[find]);
	return TOCSIN_OK;
}

static void run_joined(struct tc_call *call, struct tocsin_connection *connection)
{
	call->claim->state = TC_CLAIM_JOINED;
	call->claim->connection = connection;
	tc_join_begin(connection);
	if (call->claim->resume)
		call->claim->resume(&call->job);
	else
		tc_call_run(call);
	tc_join_end(); /* the call may be gone */
}

void tc_idempotency_run(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	TC_RESULT *found = NULL;
	struct tocsin_error error = {0};
	bool is_claimed = false;
	int result;

	if (call->caller.is_anonymous) {
		call->claim = tc_idempotency_free(call->claim);
		tc_call_run(call);
		return;
	}
	if (!tc_claim_derive(call->claim, call)) {
		tc_call_reply_problem_text(call, 503, "Out of memory; try again");
		return;
	}
	result = tocsin_pool_acquire(call->options->work_pool, &connection, &error);
	if (result == TOCSIN_OK)
		result = claim_key(connection, call->claim, &is_claimed, &found, &error);
	if (result) {
		tc_call_reply_error(call, &error);
	} else if (PQntuples(found) > 0) {
		reply_replay(call, found);
	} else if (!is_claimed) {
		tc_call_set_retry_after(call, 1);
		tc_call_reply_problem_text(call, 409, "%s", running_text);
	} else {
		run_joined(call, connection);
	}
	if (connection)
		tc_transaction_rollback(connection); /* what was not committed */
}

void tc_idempotency_leave(struct tc_call *call)
{
	if (!tc_idempotency_is_joined(call))
		return;
	tc_transaction_rollback(call->claim->connection);
	tc_join_end();
	call->claim->connection = NULL;
	call->claim->state = TC_CLAIM_LEFT;
}

void tc_idempotency_rejoin(struct tc_call *call, void (*run)(struct tc_job *job))
{
	if (call->claim) {
		call->claim->state = TC_CLAIM_OPEN;
		call->claim->resume = run;
	}
	tc_call_submit(call, call->options->work, call->claim ? tc_idempotency_run : run);
}

/* --- storing --- */

static void replace(struct tc_http_response *response, unsigned status, const char *detail)
{
	struct tc_problem problem = {.status = status};
	TC_BUFFER body = {0};

	free(response->body);
	snprintf(problem.detail, sizeof(problem.detail), "%s", detail);
	tc_problem_format(&problem, &body);
	*response = (struct tc_http_response){.status = status,
					      .content_type = "application/problem+json",
					      .body_length = body.length};
	response->body = tc_buffer_steal(&body);
	if (!response->body)
		response->body_length = 0;
}

static int store(struct tc_call *call, struct tocsin_connection *connection,
		 const struct tc_http_response *response, struct tocsin_error *error)
{
	TC_CLAIMS_SCOPED claims = {0};
	bool is_complete = false;
	int result;

	tc_claims_add_response(&claims, call->claim, response);
	result = tc_claims_store(&claims, connection, &is_complete, error);
	if (result == TOCSIN_OK && !is_complete)
		result = tocsin_error_set(error, TOCSIN_E_EXISTS, "%s", running_text);
	return result;
}

/* Of a joined transaction that failed, and took what it had claimed with it: nothing was changed. A refusal is
 * kept by itself, if that works, unless the key got another answer meanwhile. */
static void keep_refusal(struct tc_call *call, struct tc_http_response *response)
{
	struct tocsin_error error = {0};
	int result = store(call, call->claim->connection, response, &error);

	if (result == TOCSIN_E_EXISTS) {
		replace(response, 409, running_text);
		tc_call_set_retry_after(call, 1);
	} else if (result) {
		tc_log_warning("idempotency.store", "%s: %s", call->procedure->name, error.message);
	}
}

/* Of the joined transaction: stores and commits; or says in `response` why not. */
static void commit(struct tc_call *call, struct tc_http_response *response)
{
	struct tocsin_connection *connection = call->claim->connection;
	bool is_final = tc_claim_is_final(call, response->status);
	struct tocsin_error error = {0};
	int result = TOCSIN_OK;

	if (response->status >= 500 ||
	    PQtransactionStatus(tocsin_connection_pg(connection)) == PQTRANS_INERROR) {
		tc_transaction_rollback(connection);
		if (response->status < 300)
			replace(response, 503, "The change was not made; try again");
		else if (is_final)
			keep_refusal(call, response);
		return;
	}
	if (response->body_length > TC_IDEMPOTENCY_BODY_MAX) {
		tc_transaction_rollback(connection);
		replace(response, 422,
			"The answer is too large to be kept under an Idempotency-Key; nothing was "
			"done");
		return;
	}
	if (is_final)
		result = store(call, connection, response, &error);
	if (result == TOCSIN_OK)
		result = tc_transaction_commit(connection, &error);
	if (result == TOCSIN_OK)
		return;
	tc_log_warning("idempotency.commit", "%s: %s: %s", call->procedure->name,
		       tocsin_error_name(result), error.message);
	tc_transaction_rollback(connection);
	if (result == TOCSIN_E_EXISTS || result == TOCSIN_E_RETRY || result == TOCSIN_E_DEADLOCK)
		replace(response, 409, running_text);
	else
		replace(response, 503, "The database could not store the change; try again");
	tc_call_set_retry_after(call, 1);
}

/* An answer of somebody who changed nothing: kept if that works. If the key got another one meanwhile, it is that. */
static void store_job(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	struct tc_http_response response = call->claim->parked;
	struct tocsin_error error = {0};
	int result = tocsin_pool_acquire(call->options->work_pool, &connection, &error);

	call->claim->parked.body = NULL;
	if (result == TOCSIN_OK)
		result = store(call, connection, &response, &error);
	connection = tocsin_pool_release(connection);
	if (result == TOCSIN_E_EXISTS) {
		free(response.body);
		call->job.expire = tc_call_expire;
		tc_claims_again(call);
		return;
	}
	if (result)
		tc_log_warning("idempotency.store", "%s: %s", call->procedure->name, error.message);
	tc_answer(call, &response);
}

static void park_expired(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	struct tc_http_response response = call->claim->parked;

	call->claim->parked.body = NULL;
	tc_answer(call, &response);
}

bool tc_idempotency_settle(struct tc_call *call, struct tc_http_response *response)
{
	struct tc_claim *own = call->claim;
	enum tc_claim_state state = own ? own->state : TC_CLAIM_SETTLED;

	if (state == TC_CLAIM_JOINED && !tc_idempotency_is_joined(call))
		abort(); /* a handler handed its call on without tc_idempotency_leave */
	if (own)
		own->state = TC_CLAIM_SETTLED;
	if (state == TC_CLAIM_JOINED)
		commit(call, response);
	if (state != TC_CLAIM_LEFT || !tc_claim_is_final(call, response->status) ||
	    response->body_length > TC_IDEMPOTENCY_BODY_MAX)
		return true;
	own->parked = *response;
	call->job.run = store_job;
	call->job.expire = park_expired;
	if (tc_executor_submit(call->options->work, &call->job) == TOCSIN_OK)
		return false;
	own->parked.body = NULL; /* too busy: nothing is at stake but the same work once more */
	return true;
}

void tc_claims_done(struct tc_call *call)
{
	if (call->claim)
		call->claim->state = TC_CLAIM_SETTLED;
}

void tc_claims_again(struct tc_call *call)
{
	if (call->state) /* should the handler run once more, then as if it had not yet */
		call->free_state(call->state);
	call->state = NULL;
	tc_idempotency_rejoin(call, NULL);
}
