/* support/plans.h: how statements are run at volume: no sequential scan of a big table, and no walk along an
 * index that reads much and throws it away.
 *
 * Model. A table of plans, one or more for each statement of a room (a folder of .sql files). Each is prepared, planned
 * for any parameters, run and analysed in a transaction that is not committed. What its functions, triggers and foreign keys
 * read is not in its plan: for these the counts of the transaction are looked at.
 *
 * All functions fail the running cmocka test; main thread only; they block for the database. */
#pragma once

#include "pg/statement.h"
#include <stddef.h>

/* The most rows that a part of a plan may read and throw away. */
#define TC_PLAN_REMOVED_MAX 400
/* Tables of fewer rows are not big: one page more or less, and the planner prefers to read them whole. */
#define TC_PLAN_BIG_ROWS 1000
/* Makes ANALYZE in later sessions read up to 300,000 rows of each table, which is all there are: plans must not depend on
 * which of them it happens to take. */
#define TC_PLAN_STATISTICS                                                                         \
	"do $$ begin execute format('alter database %I set default_statistics_target = 1000', "    \
	"current_database()); end $$"

struct tc_plan {
	const struct tc_sql *sql;
	/* What follows EXECUTE: "(1, 'a')", "" without parameters. NULL: not looked at; the table says why. */
	const char *arguments;
};

/* Each plan; stops at the first that is bad, and prints it. */
void tc_plans_check(const struct tc_plan *plans, size_t count);
/* Fails if a .sql file of the directory (those of migrations are none) has no plan. The statement of ROOM/sql/NAME.sql
 * is ROOM_NAME. */
void tc_plans_check_complete(const char *directory, const char *room, const struct tc_plan *plans,
			     size_t count);
/* Shows that what must be found is found: `scan` reads a big table from end to end, `walk` the same along an index.
 * Seen to fail with what helpers scan not counted. */
void tc_plans_check_the_check(const char *scan, const char *walk);
