/* core/procedure/call.h: what the files here share of a call. Private to core/procedure/. */
#pragma once

#include "core/procedure/procedure.h"
#include <limits.h>

/* The index, for metrics, of a request that matches no row. */
#define TC_CALL_UNMATCHED UINT_MAX

struct tc_call {
	struct tc_job job;
	struct tc_http_request *request;
	const struct tc_router_options *options; /* the router's */
	const struct tc_procedure *procedure;    /* NULL: unmatched */
	unsigned index;                          /* for metrics */
	bool is_read;                            /* GET or HEAD */
	bool has_run;                            /* the handler was called */
	bool is_unchanged;                       /* and says that it changed nothing */
	uint64_t started_us;
	json_t *input;              /* owned; NULL until validated */
	const char *allow;          /* of a 405; borrowed for the reply */
	struct tc_credentials kept; /* copies, owned; for a second look by the executor */
	struct tc_problem *problem; /* owned; found before the caller was known */
	struct tc_caller caller;
	char address[TC_HTTP_ADDRESS_SIZE]; /* with TC_CLIENT_KNOWN; and the next */
	char *forwarded;                    /* owned; NULL: not forwarded */
	char *set_cookie;                   /* owned */
	unsigned retry_after_s;
	char *if_none_match;        /* owned; NULL: there is none */
	struct tc_cache_load *load; /* to be ended by the answer; NULL: nobody waits for it */
	struct tc_claim *claim;     /* owned; NULL: no Idempotency-Key */
	void (*committed)(struct tc_call *call); /* the handler's; NULL: none */
	void *state;                             /* the handler's; owned */
	void (*free_state)(void *state);
};

void tc_call_free(struct tc_call *call);
/* Calls the handler. */
void tc_call_run(struct tc_call *call);
/* The `expire` of every call's job: answers 503. */
void tc_call_expire(struct tc_job *job);
