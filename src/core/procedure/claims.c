/* core/procedure/claims.c: answers on their way into the database; see idempotency.h. One statement for any number of
 * them. */
#include "core/procedure/claim.h"

#include "base/memory.h"
#include "core/procedure/call.h"
#include "pg/array.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdio.h>
#include <string.h>

void tc_claims_add_response(struct tc_claims *claims, const struct tc_claim *claim,
			    const struct tc_http_response *response)
{
	TC_FREE char *body = tc_claim_encrypt(claim, response->body, response->body_length);
	char fingerprint[TC_CLAIM_HEX_SIZE], status[12];
	const char *row[TC_CLAIMS_COLUMNS] = {claim->scope_text, fingerprint, status,
					      response->content_type, body};

	claims->failed = claims->failed || !body;
	tc_claim_hex(claim->fingerprint, fingerprint);
	snprintf(status, sizeof(status), "%u", response->status);
	for (unsigned i = 0; i < TC_CLAIMS_COLUMNS && body; i++)
		tc_array_append(&claims->columns[i], row[i]);
	claims->count++;
}

void tc_claims_add(struct tc_claims *claims, const struct tc_call *call, unsigned status,
		   const char *body, size_t length)
{
	union {
		const char *borrowed;
		char *text;
	} bytes = {.borrowed = body};

	if (call->claim)
		tc_claims_add_response(
			claims, call->claim,
			&(struct tc_http_response){.status = status,
						   .content_type = body ? "application/json" : NULL,
						   .body = bytes.text,
						   .body_length = length});
}

int tc_claims_store(struct tc_claims *claims, struct tocsin_connection *connection,
		    bool *ret_complete, struct tocsin_error *error)
{
	const char *values[TC_CLAIMS_COLUMNS + 1];
	char keep_s[12];
	TC_RESULT *stored = NULL;
	int result;

	for (unsigned i = 0; i < TC_CLAIMS_COLUMNS; i++) {
		values[i] = tc_array_finish(&claims->columns[i]);
		if (!values[i] || claims->failed)
			return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	}
	snprintf(keep_s, sizeof(keep_s), "%u", TC_IDEMPOTENCY_KEEP_S);
	values[TC_CLAIMS_COLUMNS] = keep_s;
	result = tc_query(connection, &tc_sql_procedure_store_answers, values, &stored, error);
	if (result)
		return result;
	*ret_complete = (unsigned)PQntuples(stored) == claims->count;
	tc_buffer_clear(&claims->columns[0]);
	for (int row = 0; row < PQntuples(stored); row++)
		tc_buffer_append_text(&claims->columns[0], PQgetvalue(stored, row, 0));
	return TOCSIN_OK;
}

bool tc_claims_is_used(const struct tc_claims *claims, const struct tc_call *call)
{
	return call->claim && (!claims->columns[0].data ||
			       !strstr(claims->columns[0].data, call->claim->scope_text));
}

void tc_claims_deinit(struct tc_claims *claims)
{
	for (unsigned i = 0; i < TC_CLAIMS_COLUMNS; i++)
		tc_buffer_deinit(&claims->columns[i]);
}
