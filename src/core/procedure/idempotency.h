/* core/procedure/idempotency.h: `Idempotency-Key` on every POST that changes something and speaks our own protocol, also where
 * the row's own method is another (at /rest/GROUP/NAME): a client that does not know whether its request was
 * carried out sends it again with the same key, to any node.
 *
 * What is promised, to one caller (an API key, or one session of a user), for one procedure and one key (1 to 255
 * visible ASCII characters), for TC_IDEMPOTENCY_KEEP_S:
 *
 *   - At most one change. The answer is stored by the transaction that makes the change: both are there,
 *     or neither. A crash between any two steps, of a node or of the database, cannot come between them.
 *   - The same input (path, query and body, however written) gets the first answer again: status and body, and
 *     the header `Idempotency-Replayed: true`. Another input gets 422.
 *   - While the first request runs, on whichever node, a second one gets 409 with Retry-After, or waits; never
 *     a second change.
 *   - Stored are answers that decide: 2xx, 400, 404, 410, 413, 422, and a 409 of what lasts (a name that is taken).
 *     Whoever was told no must not find later, by a copy of the request that was late, that it was carried out
 *     after all: to try anew takes a new key. Not stored is what says "try again": 429, 503, and a 409 of what passes
 *     (a lock not granted in time, a deadlock), which is one with Retry-After; nor 401 and 403, which are about the
 *     caller. With them nothing was changed. Not 5xx: everything is rolled back. Input that is refused before
 *     the procedure runs does not use up the key.
 *   - Answers are stored encrypted, under a key made of the caller's credential and the Idempotency-Key, and only
 *     a hash of those two is stored: an answer with a secret (a new API key) cannot be read from the database.
 *
 * A caller who is not known can change nothing: the header is checked, and then ignored.
 *
 * How. On the work executor a connection is taken, a transaction begun, the key claimed by an advisory
 * lock that is only tried, and the stored answer looked for in a statement after that. Then the handler runs JOINED: a
 * connection it acquires from the work pool on this thread is that one, and its transactions are savepoints
 * (pg/join.h). Its answer is caught (core/procedure/answer.c), stored, and the transaction committed; only then is it sent. So
 * a handler needs to know nothing, as long as it stays on its thread and takes no lock-pool connection.
 * tc_call_submit stays there. One that hands its call to somebody with transactions of his own (a batcher) first
 * calls tc_idempotency_leave; that one then stores the answers of what he changed in HIS transaction: tc_claims below.
 * What he refuses changed nothing, and is stored by itself before it is sent. One that has
 * something long to do without the database (hashing a password) leaves likewise, so that neither a connection nor
 * a transaction waits for it, and comes back by tc_idempotency_rejoin, where the key is claimed anew: of two that
 * went away with one key, the second to come back gets the first one's answer. */
#pragma once

#include "core/procedure/procedure.h"
#include "http/problem.h"
#include <tocsin/pool.h>

#define TC_IDEMPOTENCY_KEY_MAX 255u
#define TC_IDEMPOTENCY_KEEP_S  86400u /* 24 hours */
/* A larger answer is not stored, and what it tells of is rolled back: 422. */
#define TC_IDEMPOTENCY_BODY_MAX ((size_t)4 * 1024 * 1024)

/* --- for core/ --- */

/* On the HTTP thread: looks for the header. False: `problem` says what is wrong with it. */
bool tc_idempotency_begin(struct tc_call *call, const struct tc_credentials *credentials,
			  struct tc_problem *problem);
/* The way of a call with a claim, on the work executor. */
void tc_idempotency_run(struct tc_job *job);
/* With an answer, before it is sent: stores it and commits. It may become another one (the commit failed).
 * False: somebody else will send it. */
bool tc_idempotency_settle(struct tc_call *call, struct tc_http_response *response);
bool tc_idempotency_is_replay(const struct tc_call *call);
/* True on the thread that runs the call joined. */
bool tc_idempotency_is_joined(const struct tc_call *call);
struct tc_claim *tc_idempotency_free(struct tc_claim *claim);

/* --- for handlers that hand a call on --- */

/* True for a call whose answer has to be stored. */
bool tc_idempotency_has(const struct tc_call *call);
/* Text that is the same for calls of which only one can be stored; NULL without a claim. The call's. */
const char *tc_idempotency_scope(const struct tc_call *call);
/* Leaves the joined transaction, in which nothing may have been done. Harmless without a claim. On the handler's
 * thread. */
void tc_idempotency_leave(struct tc_call *call);
/* Goes on in `run` on the work executor: joined again if the call has a claim. Instead of that it is answered
 * if meanwhile another one with its key was, or is running. After tc_idempotency_leave, from any thread. */
void tc_idempotency_rejoin(struct tc_call *call, void (*run)(struct tc_job *job));

/* Answers to be stored by a transaction; zeroed: none. */
#define TC_CLAIMS_COLUMNS 5
struct tc_claims {
	struct tc_buffer columns[TC_CLAIMS_COLUMNS];
	unsigned count;
	bool failed;
};

/* Nothing without a claim; `body` is JSON, or NULL: none. */
void tc_claims_add(struct tc_claims *claims, const struct tc_call *call, unsigned status,
		   const char *body, size_t length);
/* In the transaction, last: stores them. *ret_complete false: a key among them has been used meanwhile: roll
 * back; tc_claims_is_used then says whether it is this call's. */
int tc_claims_store(struct tc_claims *claims, struct tocsin_connection *connection,
		    bool *ret_complete, struct tocsin_error *error);
bool tc_claims_is_used(const struct tc_claims *claims, const struct tc_call *call);
void tc_claims_deinit(struct tc_claims *claims);
#define TC_CLAIMS_SCOPED __attribute__((cleanup(tc_claims_deinit))) struct tc_claims

/* After the commit: the call's answer is stored, and may be sent. */
void tc_claims_done(struct tc_call *call);
/* After a rollback because this call's key has been used meanwhile: gives the call back, to be answered with the first
 * answer. The call is gone. */
void tc_claims_again(struct tc_call *call);
