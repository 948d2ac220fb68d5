/* core/procedure/answer.h: the last step of every call. Private to core/procedure/. */
#pragma once

#include "core/procedure/call.h"

/* Answers: drops from the cache what a change may have changed; adds the headers its status asks for, and an
 * ETag to a read, which becomes 304 where the client has it; measures; serves those who wait for the same; frees
 * the call. The body is taken over. */
void tc_answer(struct tc_call *call, struct tc_http_response *response);
