/* pg/join.h: work that takes part in a transaction it does not know of.
 *
 * Between begin and end, on this thread, acquiring from the connection's pool gives that connection again, releasing
 * it does nothing, and tocsin_pool_transact runs in a savepoint of the open transaction: what it commits is kept
 * when the whole commits. Other pools go by their rank, as they would beside any held connection.
 *
 * For core/. Thread-local: no locking. */
#pragma once

#include "pg/connection.h"

/* `connection` has been acquired by this thread, and has a transaction open, which stays open. */
void tc_join_begin(struct tocsin_connection *connection);
/* Harmless without a begin. */
void tc_join_end(void);
/* NULL outside. */
struct tocsin_connection *tc_join_get(void);
