/* once.c: many machines start it at the same time; one at a time runs the job, once a day.
 * cc once.c $(pkg-config --cflags --libs tocsin) -o once && DATABASE_URL=postgres:///test ./once */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tocsin/tocsin.h>

/* On the work pool, in a transaction that commits only while this machine still holds the lock. */
static int note_run(struct tocsin_connection *connection, void *userdata,
		    struct tocsin_error *error)
{
	PGconn *pg = tocsin_connection_pg(connection);
	PGresult *result =
		PQexec(pg, "create table if not exists runs (day date primary key);"
			   "insert into runs values (current_date) on conflict do nothing");
	int code = TOCSIN_OK;

	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		*(bool *)userdata = strcmp(PQcmdTuples(result), "1") == 0;
	else
		code = tocsin_error_set(error, TOCSIN_E_DATABASE, "%s", PQerrorMessage(pg));
	PQclear(result);
	return code;
}

static int run_job(struct tocsin_held *held, void *userdata, struct tocsin_error *error)
{
	return tocsin_lock_work(held, note_run, userdata, error);
}

int main(void)
{
	struct tocsin_pool_options pool = {
		.max = 1, .connection_timeout_ms = 10000, .idle_timeout_ms = 30000};
	struct tocsin_locks_options options = {.wait_timeout_ms = 30000};
	struct tocsin_locks *locks = NULL;
	struct tocsin_error error;
	bool is_first = false;
	int code;

	pool.conninfo = getenv("DATABASE_URL") ? getenv("DATABASE_URL") : "";
	pool.name = "once-lock";
	pool.purpose = TOCSIN_POOL_LOCK;
	code = tocsin_pool_new(&options.lock_pool, &pool, &error);
	pool.name = "once-work";
	pool.purpose = TOCSIN_POOL_WORK;
	if (code == TOCSIN_OK)
		code = tocsin_pool_new(&options.work_pool, &pool, &error);
	if (code == TOCSIN_OK)
		code = tocsin_locks_new(&locks, &options, &error);
	if (code == TOCSIN_OK)
		code = tocsin_lock_with(locks, "example.once", run_job, &is_first, &error);
	puts(code != TOCSIN_OK ? error.message : is_first ? "done" : "already done today");
	tocsin_locks_free(locks);
	tocsin_pool_free(options.lock_pool);
	tocsin_pool_free(options.work_pool);
	return code == TOCSIN_OK ? 0 : 1;
}
