/* core/procedure/reply.h: answers that handlers of many modules give alike. Each function answers, and takes the call, as
 * tc_call_reply* do (procedure.h); none blocks. */
#pragma once

#include "core/procedure/procedure.h"

/* Who calls, as services and the outbox want it: NULL for nobody who is known. The call's. */
const char *tc_reply_actor(const struct tc_call *call);

/* With `json` (emptied), or, where `result` is no success, with what `error` is. */
void tc_reply_result(struct tc_call *call, int result, unsigned status, struct tc_buffer *json,
		     const struct tocsin_error *error);
/* 204, or what `error` is. */
void tc_reply_done(struct tc_call *call, int result, const struct tocsin_error *error);
/* The same as tc_reply_result; an EXISTS is 409 and names the field that is taken. `field` NULL: none is to blame. */
void tc_reply_unless_taken(struct tc_call *call, int result, unsigned status,
			   struct tc_buffer *json, const char *field,
			   const struct tocsin_error *error);
/* 201 with {NAME: secret, and the members of `json`}, an object that is not empty: the one answer that shows it.
 * `name` and `secret` need no escapes; `secret`, of `size` bytes, is wiped. */
void tc_reply_secret(struct tc_call *call, const char *name, char *secret, size_t size,
		     const struct tc_buffer *json);

/* Fields of every list: where a page begins, and how much is in it. */
#define TC_LIST_DEFAULT 50
#define TC_FIELD_LIST_LIMIT(most, text)                                                            \
	{                                                                                          \
		.name = "limit", .type = TC_FIELD_INTEGER, .place = TC_IN_QUERY, .min = 1,         \
		.max = (most), .description = (text)                                               \
	}
#define TC_FIELD_LIST_CURSOR                                                                       \
	{                                                                                          \
		.name = "cursor", .type = TC_FIELD_CURSOR, .place = TC_IN_QUERY,                   \
		.description = "nextCursor of the page before"                                     \
	}
