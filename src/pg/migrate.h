/* pg/migrate.h: numbered migrations, each run once, in order, each in a transaction of its own with
 * its row in table tocsin_migrations, all under one advisory lock, so that of many nodes starting at
 * once one migrates and the others find it done. */
#pragma once

#include "pg/statement.h"
#include <stddef.h>
#include <tocsin/error.h>

/* Connects with `conninfo`, applies what is missing of `migrations` (sorted by version), disconnects.
 * *ret_applied (may be NULL) counts those applied. TOCSIN_E_INVALID if the database is newer than
 * `migrations`: the message says both versions. Blocks, waiting at most wait_ms for another node. */
int tc_migrate(const char *conninfo, const struct tc_migration *migrations, size_t count,
	       unsigned wait_ms, unsigned *ret_applied, struct tocsin_error *error);

/* Generated from the .sql files. */
extern const struct tc_migration tc_migrations[];
extern const size_t tc_migrations_count;
