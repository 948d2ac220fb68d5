/* pg/transaction.h: the pieces of a transaction, for lock/ and core/; everybody else calls
 * tocsin_pool_transact. Both block. */
#pragma once

#include "pg/connection.h"

/* A commit whose connection is lost is TOCSIN_E_UNAVAILABLE: whether it took place is not known. */
int tc_transaction_commit(struct tocsin_connection *connection, struct tocsin_error *error);
/* Harmless when no transaction is open. */
void tc_transaction_rollback(struct tocsin_connection *connection);
