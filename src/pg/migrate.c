/* pg/migrate.c: see migrate.h.
 *
 * One step is one transaction: take the advisory lock, look which version the database has, apply the
 * next migration, note it, commit. The lock is a transaction's, not a session's, so that it also holds behind a
 * connection pooler, and a node that dies in the middle leaves nothing behind. Looking comes in a later
 * statement than locking: a snapshot older than the lock would not see what the last holder did. */
#include "pg/migrate.h"

#include "base/macro.h"
#include "pg/query.h"
#include "sql_app.h"
#include "sql_lib.h"
#include <stdio.h>
#include <stdlib.h>

#define LOCK_KEY          "tocsin.migrate"
#define CONNECT_TIMEOUT_S "10"

TC_DEFINE_CLEANUP(PGconn *, PQfinish);

struct migration_run {
	PGconn *pg;
	const struct tc_migration *migrations;
	size_t count;
	char wait_ms[16];
	unsigned applied;
};

static int fail(const PGresult *result, PGconn *pg, struct tocsin_error *error)
{
	int code = tc_result_error(result, pg, error);

	return code == TOCSIN_OK ? tocsin_error_set(error, TOCSIN_E_DATABASE, "migrating failed")
				 : code;
}

static int execute(PGconn *pg, const struct tc_sql *sql, const char *const *values,
		   PGresult **ret_result, struct tocsin_error *error)
{
	TC_RESULT *result =
		PQexecParams(pg, sql->text, (int)sql->parameters, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		return fail(result, pg, error);
	if (ret_result)
		*ret_result = tc_take(result);
	return TOCSIN_OK;
}

static int read_version(struct migration_run *run, unsigned *ret_version,
			struct tocsin_error *error)
{
	TC_RESULT *exists = NULL;
	TC_RESULT *version = NULL;
	int result = execute(run->pg, &tc_sql_pg_migrate_exists, NULL, &exists, error);

	if (result == TOCSIN_OK && !tc_result_is_true(exists, 0, 0)) {
		*ret_version = 0;
		return TOCSIN_OK;
	}
	if (result == TOCSIN_OK)
		result = execute(run->pg, &tc_sql_pg_migrate_version, NULL, &version, error);
	if (result == TOCSIN_OK)
		*ret_version = (unsigned)strtoul(PQgetvalue(version, 0, 0), NULL, 10);
	return result;
}

/* Fills *ret_next with the first migration that is missing, NULL if none is. */
static int find_next(struct migration_run *run, const struct tc_migration **ret_next,
		     struct tocsin_error *error)
{
	unsigned newest = run->count ? run->migrations[run->count - 1].version : 0, version = 0;
	int result = read_version(run, &version, error);

	if (result != TOCSIN_OK)
		return result;
	if (version > newest)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"the database is at version %u, which is newer than this program "
			"(version %u): use a newer tocsin",
			version, newest);
	*ret_next = NULL;
	for (size_t i = 0; i < run->count && !*ret_next; i++) {
		if (run->migrations[i].version > version)
			*ret_next = &run->migrations[i];
	}
	return TOCSIN_OK;
}

static int apply(struct migration_run *run, const struct tc_migration *migration,
		 struct tocsin_error *error)
{
	TC_RESULT *applied = PQexec(run->pg, migration->text); /* several statements */
	char version[16];
	const char *values[] = {version, migration->name};
	int result;

	if (PQresultStatus(applied) != PGRES_COMMAND_OK &&
	    PQresultStatus(applied) != PGRES_TUPLES_OK) {
		const char *detail = PQresultErrorField(applied, PG_DIAG_MESSAGE_DETAIL);
		struct tocsin_error cause = {0};

		result = fail(applied, run->pg, &cause);
		tocsin_error_set(error, result, "migration %u (%s): %.200s%s%.200s",
				 migration->version, migration->name, cause.message,
				 detail ? ": " : "", detail ? detail : ""); /* which row */
		if (error)
			snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", cause.sqlstate);
		return result;
	}
	snprintf(version, sizeof(version), "%u", migration->version);
	return execute(run->pg, &tc_sql_pg_migrate_record, values, NULL, error);
}

/* What one step does inside its transaction; *ret_done when nothing is missing any more. */
static int step(struct migration_run *run, bool *ret_done, struct tocsin_error *error)
{
	const char *const settings[] = {run->wait_ms}, *const key[] = {LOCK_KEY};
	const struct tc_migration *next = NULL;
	int result = execute(run->pg, &tc_sql_pg_migrate_settings, settings, NULL, error);

	if (result == TOCSIN_OK)
		result = execute(run->pg, &tc_sql_pg_migrate_lock, key, NULL, error);
	if (result == TOCSIN_OK)
		result = execute(run->pg, &tc_sql_pg_migrate_table, NULL, NULL, error);
	if (result == TOCSIN_OK)
		result = find_next(run, &next, error);
	if (result == TOCSIN_OK && next)
		result = apply(run, next, error);
	*ret_done = !next;
	return result;
}

static int run_step(struct migration_run *run, bool *ret_done, struct tocsin_error *error)
{
	bool done = true;
	int result = execute(run->pg, &tc_sql_pg_begin, NULL, NULL, error);

	if (result != TOCSIN_OK)
		return result;
	result = step(run, &done, error);
	if (result != TOCSIN_OK) {
		/* The first error is what matters; a connection that cannot roll back is closed anyway. */
		execute(run->pg, &tc_sql_pg_rollback, NULL, NULL, NULL);
		return result;
	}
	result = execute(run->pg, &tc_sql_pg_commit, NULL, NULL, error);
	if (result == TOCSIN_OK && !done)
		run->applied++;
	*ret_done = done;
	return result;
}

static PGconn *connect_to(const char *conninfo)
{
	/* The first dbname is expanded as a conninfo or URI; what follows comes on top. */
	const char *const names[] = {"connect_timeout", "dbname", "application_name", NULL};
	const char *const values[] = {CONNECT_TIMEOUT_S, conninfo, "tocsin migrate", NULL};

	return PQconnectdbParams(names, values, 1);
}

int tc_migrate(const char *conninfo, const struct tc_migration *migrations, size_t count,
	       unsigned wait_ms, unsigned *ret_applied, struct tocsin_error *error)
{
	TC_CLEANUP(PQfinish) PGconn *pg = connect_to(conninfo);
	struct migration_run run = {.pg = pg, .migrations = migrations, .count = count};
	const struct tc_migration *next = NULL;
	bool done = false;
	int result;

	if (PQstatus(pg) != CONNECTION_OK)
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE,
					"cannot connect to the database: %s", PQerrorMessage(pg));
	snprintf(run.wait_ms, sizeof(run.wait_ms), "%u", wait_ms);
	/* The usual start finds nothing to do, and then needs no lock. */
	result = find_next(&run, &next, error);
	if (result == TOCSIN_OK && !next)
		done = true;
	while (result == TOCSIN_OK && !done)
		result = run_step(&run, &done, error);
	if (result == TOCSIN_OK && ret_applied)
		*ret_applied = run.applied;
	return result;
}
