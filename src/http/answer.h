/* http/answer.h: answers that many requests share: made once, immutable, counted by reference.
 *
 * Threads: everything here may be called from any thread; nothing blocks. */
#pragma once

#include "base/macro.h"
#include "http/server.h"

struct tc_http_answer;

/* Takes the body of `from` over, also where it fails, and copies the rest; NULL when memory ran out. The
 * caller owns one reference. */
struct tc_http_answer *tc_http_answer_new(const struct tc_http_response *from);
struct tc_http_answer *tc_http_answer_ref(struct tc_http_answer *answer);
/* NULL allowed, returns NULL. */
struct tc_http_answer *tc_http_answer_unref(struct tc_http_answer *answer);
TC_DEFINE_CLEANUP(struct tc_http_answer *, tc_http_answer_unref);

unsigned tc_http_answer_status(const struct tc_http_answer *answer);
size_t tc_http_answer_length(const struct tc_http_answer *answer);

/* As tc_http_respond, with a shared answer, which is borrowed. */
void tc_http_respond_shared(struct tc_http_request *request, struct tc_http_answer *answer);
