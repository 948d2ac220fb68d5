/* modules/catalog/deleter.h: deleting systems while incidents are opened about them.
 *
 * Model. A system may have been in any number of incidents, and a transaction over all of them would hold their
 * rows, and back every reader of the outbox, for as long as that takes. So a deletion has two parts:
 *
 *   the history  Resolved incidents lose the system, TC_CATALOG_HISTORY_BATCH of them a transaction, on the work
 *                pool. No key is needed: nobody opens an incident there.
 *   the end      One transaction under the lock key of the system: its open incidents lose it, with them the few that
 *                were resolved meanwhile (at most a batch), and the system goes. With it the answer is stored, where
 *                the call has an Idempotency-Key.
 *
 * An incident is told in the very transaction in which it loses the system, so each is told exactly once,
 * wherever a deletion stops. One that stopped (a crash, a key that was not granted) leaves a system with less
 * history; another deletion goes on from there.
 *
 * The end is an item of a batcher (core/work/batcher.h): while the key, or a row, is held elsewhere it waits in the key's
 * queue, without a thread, and without a connection but that of a waiter, if it has one.
 *
 * Order of locks. The key; incidents, by id, waiting; the system's row, against everybody who would name it; then,
 * without waiting, incidents that were opened between the last two steps by somebody who needs not this key (it
 * is not the first system of that incident). Whoever changes an incident goes the same way, incident before
 * system, so nobody waits in a circle. If such an incident is held by somebody, who may be waiting for the
 * system's row, everything is let go and starts again; and likewise if more than a batch was resolved since the history
 * went: it goes first.
 *
 * The system's row does not keep everybody out. PostgreSQL (seen with 15.20) looks at a row, lets go of its page, and
 * takes the page again to lock the row; whoever wants FOR KEY SHARE, as a foreign key does, then looks only whether the
 * row was updated, and locks it beside a FOR UPDATE that was granted between the two looks (heap_lock_tuple). On a busy
 * machine that happens. So the foreign key of incident_systems does not cascade: a system that an incident still names
 * cannot go, and the end starts again. The deletion of a row is an update of it, and keeps everybody out. */
#pragma once

#include "base/macro.h"
#include "core/work/batcher.h"
#include <tocsin/tocsin.h>

#define TC_CATALOG_HISTORY_BATCH 500  /* incidents of one transaction */
#define TC_CATALOG_DELETIONS_MAX 1000 /* waiting for their end, on one node */

struct tc_catalog_deleter;

struct tc_catalog_deleter_options {
	struct tocsin_pool *work_pool, *lock_pool; /* borrowed; must outlive the deleter */
	/* Lock connections that wait for contended systems; 0: none, those are tried again. */
	unsigned waiters_max;
	unsigned
		wait_timeout_ms; /* a deletion waits for its contended system at most this long; > 0 */
};

/* On success the caller owns *ret_deleter. Starts threads; does not block. */
int tc_catalog_deleter_new(struct tc_catalog_deleter **ret_deleter,
			   const struct tc_catalog_deleter_options *options,
			   struct tocsin_error *error);
/* Finishes what is queued, then frees. Blocks. NULL allowed, returns NULL. */
struct tc_catalog_deleter *tc_catalog_deleter_free(struct tc_catalog_deleter *deleter);
TC_DEFINE_CLEANUP(struct tc_catalog_deleter *, tc_catalog_deleter_free);

struct tc_call;

struct tc_catalog_deletion {
	const char *id;    /* of the system; copied */
	const char *actor; /* tc_caller.id, or NULL; copied */
	/* Its Idempotency-Key gets the answer 204, by the transaction that deletes the system; borrowed until done. It has
	 * left its own transaction. NULL: none asks. */
	struct tc_call *call;
	/* Called once, on this thread or one of the deleter's; must not block. `error` is set unless the result is
	 * TOCSIN_OK. NOT_FOUND; LOCK_TIMEOUT, FULL and others: the system is still there; EXISTS: the call's key has been
	 * used meanwhile, and nothing was deleted (tc_claims_again). */
	void (*done)(int result, const struct tocsin_error *error, void *userdata);
	void *userdata;
};

/* Deletes a system with everything that belongs to it, and takes it out of its incidents. Blocks for the history;
 * any thread that holds no connection may call it. */
void tc_catalog_deleter_run(struct tc_catalog_deleter *deleter,
			    const struct tc_catalog_deletion *deletion);

void tc_catalog_deleter_get_stats(struct tc_catalog_deleter *deleter,
				  struct tc_batcher_stats *ret_stats);
