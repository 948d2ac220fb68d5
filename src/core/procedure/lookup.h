/* core/procedure/lookup.h: a read through the cache, on the HTTP thread. Private to core/procedure/. */
#pragma once

#include "core/procedure/call.h"
#include "core/procedure/router.h"

/* True where the call needs nothing further: it was answered from memory, or waits for somebody else's load. Else
 * it is to run; call->load says whether for others, too. The caller is known and admitted; the input is not
 * even looked at: a key that is found was good when it was loaded. */
bool tc_lookup(struct tc_call *call, const struct tc_route_match *match);

/* What a change of the row's kind may have changed is dropped from this node's cache: after its commit, before
 * its answer. */
void tc_lookup_drop(struct tc_call *call);
