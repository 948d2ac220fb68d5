/* support/plans.h: how statements are run at volume: no sequential scan of a big table, and no walk along an
 * index that reads much and throws it away; nor is one planned while tables are empty.
 *
 * Model. A table of plans, one or more for each statement of a room (a folder of .sql files). Each is prepared, planned
 * for any parameters, run and analysed in a transaction that is not committed. What its functions, triggers and foreign keys
 * read is not in its plan: for these the counts of the transaction are looked at.
 *
 * Main thread; blocks for the database. */
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

/* The plans of the statements in DIRECTORY/sql, below the sources; that of NAME.sql is called ROOM_NAME. */
struct tc_plan_room {
	const char *room, *directory;
	const struct tc_plan *plans;
	size_t count;
};

struct tc_plan_program {
	const struct tc_plan_room *rooms;
	size_t rooms_count;
	/* Statements that fill the tables, all in one session. */
	const char *const *data;
	size_t data_count;
	/* What must be found: this reads a big table from end to end, and this does the same along an index. */
	const char *scan, *walk;
};

/* A whole test program, whose argument is the directory of the sources: each plan at volume, whether every statement has
 * one (those of migrations need none), whether the check finds what it must, and each plan made of empty tables; seen to
 * fail with what helpers scan not counted, and with enable_seqscan left on. Returns its exit status. `program` is borrowed. */
int tc_plans_main(int count, char **arguments, const struct tc_plan_program *program);
