/* core/procedure/read.c: see read.h. */
#include "core/procedure/read.h"

#include "core/app.h"
#include "core/procedure/call.h"
#include "core/procedure/reply.h"
#include "core/store.h"
#include <assert.h>

#define ATTEMPTS 2u

static const struct tc_read *read_of(const struct tc_call *call, const char **ret_values)
{
	const struct tc_read *read = call->procedure->read;

	assert(read->sql->parameters <= TC_READ_PARAMETERS_MAX);
	read->fill(call, ret_values);
	return read;
}

static void answer(struct tc_call *call, const PGresult *rows)
{
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = PQntuples(rows) > 0 ? tc_store_take(rows, 0, &json, &error)
					 : call->procedure->read->miss(call, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

void tc_read_run(struct tc_call *call)
{
	const char *values[TC_READ_PARAMETERS_MAX];
	const struct tc_read *read = read_of(call, values);
	struct tocsin_error error;
	TC_RESULT *rows = NULL;
	int result = tc_store_read(tc_call_app(call)->work_pool, read->sql, values, &rows, &error);

	if (result == TOCSIN_OK)
		answer(call, rows);
	else
		tc_call_reply_error(call, &error);
}

static_assert(TC_EXECUTOR_GATHER_MAX <= TC_PIPELINE_MAX, "all that go together fit");

static int query(struct tc_job *const *jobs, unsigned count, struct tc_pipeline *pipeline,
		 struct tocsin_error *error)
{
	struct tocsin_pool *pool = tc_call_app(tc_call_from_job(jobs[0]))->work_pool;
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	int result = tocsin_pool_acquire(pool, &connection, error);

	if (result != TOCSIN_OK)
		return result;
	tc_pipeline_begin(pipeline, connection);
	for (unsigned i = 0; i < count; i++) {
		const char *values[TC_READ_PARAMETERS_MAX];
		const struct tc_read *read = read_of(tc_call_from_job(jobs[i]), values);

		tc_pipeline_add(pipeline, read->sql, values);
	}
	return tc_pipeline_run(pipeline, error);
}

/* Each by itself from now on, on whichever thread is free; the first one here. */
static void run_apart(struct tc_job *const *jobs, unsigned count)
{
	struct tc_executor *executor = tc_call_app(tc_call_from_job(jobs[0]))->work;

	for (unsigned i = 1; i < count; i++) {
		jobs[i]->run_many = NULL;
		if (tc_executor_submit(executor, jobs[i]) != TOCSIN_OK) /* full, or closed */
			tc_call_run(tc_call_from_job(jobs[i]));
	}
	tc_call_run(tc_call_from_job(jobs[0]));
}

void tc_read_run_many(struct tc_job *const *jobs, unsigned count)
{
	TC_PIPELINE pipeline = {0};
	struct tocsin_error error = {0};
	int result = TOCSIN_E_UNAVAILABLE;

	for (unsigned i = 0; i < ATTEMPTS && result == TOCSIN_E_UNAVAILABLE; i++) {
		tc_pipeline_deinit(&pipeline);
		result = query(jobs, count, &pipeline, &error);
		if (result != TOCSIN_OK && tc_store_blames_statement(&error)) {
			run_apart(jobs, count);
			return;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		struct tc_call *call = tc_call_from_job(jobs[i]);

		call->has_run = true;
		if (result == TOCSIN_OK)
			answer(call, pipeline.results[i]);
		else
			tc_call_reply_error(call, &error);
	}
}
