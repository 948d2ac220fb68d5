/* core/outbox/event_reader.c: see event_reader.h. `mutex` guards `is_wanted` and `must_stop`. */
#include "core/outbox/event_reader.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/thread.h"
#include "core/outbox/outbox.h"
#include "sql_app.h"
#include <stdio.h>
#include <stdlib.h>

struct tc_event_reader {
	struct tc_event_reader_options options;
	unsigned batch_max; /* never 0 */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* is_wanted or must_stop */
	bool is_wanted, must_stop;
};

/* One span on its way. */
struct work {
	struct tc_event_reader *reader;
	unsigned count; /* events done */
};

static int advance(struct tc_event_reader *reader, struct tocsin_connection *connection,
		   const struct tc_event_position *to, struct tocsin_error *error)
{
	char transaction[TC_EVENT_NUMBER_SIZE], sequence[TC_EVENT_NUMBER_SIZE];
	const char *const values[] = {reader->options.name, transaction, sequence};

	tc_event_position_format(to, transaction, sequence);
	return tc_query(connection, &tc_sql_outbox_reader_advance, values, NULL, error);
}

/* The lock comes in a statement of its own, so that the next one sees what its last holder did. */
static int find_span(struct tc_event_reader *reader, struct tocsin_connection *connection,
		     struct tc_event_span *ret_span, struct tocsin_error *error)
{
	const char *const name = reader->options.name;
	TC_PIPELINE pipeline;
	char batch_max[12];
	unsigned lock, span;
	int result;

	snprintf(batch_max, sizeof(batch_max), "%u", reader->batch_max);
	tc_pipeline_begin(&pipeline, connection);
	lock = tc_pipeline_add(&pipeline, &tc_sql_outbox_reader_lock, &name);
	span = tc_pipeline_add(&pipeline, &tc_sql_outbox_reader_span,
			       (const char *const[]){name, batch_max});
	result = tc_pipeline_run(&pipeline, error);
	if (result)
		return result;
	*ret_span = (struct tc_event_span){0};
	if (!tc_result_is_true(pipeline.results[lock], 0, 0) ||
	    PQntuples(pipeline.results[span]) == 0)
		return TOCSIN_OK;
	ret_span->from = tc_event_position_get(pipeline.results[span], 0, 0);
	ret_span->to = tc_event_position_get(pipeline.results[span], 0, 2);
	ret_span->count = (unsigned)strtoul(PQgetvalue(pipeline.results[span], 0, 4), NULL, 10);
	return TOCSIN_OK;
}

static int do_span(struct tocsin_connection *connection, void *userdata, struct tocsin_error *error)
{
	struct work *work = userdata;
	const struct tc_event_reader_options *options = &work->reader->options;
	struct tc_event_span span;
	int result = find_span(work->reader, connection, &span, error);

	work->count = 0;
	if (result != TOCSIN_OK || span.count == 0)
		return result;
	result = options->handle(connection, &span, options->userdata, error);
	if (result == TOCSIN_OK)
		result = advance(work->reader, connection, &span.to, error);
	if (result == TOCSIN_OK)
		work->count = span.count;
	return result;
}

static bool is_stopping(struct tc_event_reader *reader)
{
	TC_LOCKED(&reader->mutex);

	return reader->must_stop;
}

/* Everything there is. What comes meanwhile has its own time: or readers with a pace would do little by little what
 * writers write all the time. */
static int read_all(struct tc_event_reader *reader, struct tocsin_error *error)
{
	struct work work = {.reader = reader};
	int result;

	do {
		result = tocsin_pool_transact(reader->options.pool, do_span, &work, error);
		if (result == TOCSIN_OK && work.count > 0 && reader->options.writes_events)
			tc_outbox_committed(reader->options.outbox);
	} while (result == TOCSIN_OK && work.count >= reader->batch_max && !is_stopping(reader));
	return result;
}

/* Until there is work, and `wanted_ms` has come; or until `look_ms`. False: to stop. */
static bool wait_for_work(struct tc_event_reader *reader, uint64_t wanted_ms, uint64_t look_ms)
{
	TC_LOCKED(&reader->mutex);

	while (!reader->must_stop) {
		uint64_t until_ms = reader->is_wanted ? TC_MIN(wanted_ms, look_ms) : look_ms;

		if (tc_clock_ms() >= until_ms)
			break;
		tc_cond_wait_until(&reader->changed, &reader->mutex, until_ms);
	}
	reader->is_wanted = false;
	return !reader->must_stop;
}

static void *run(void *argument)
{
	struct tc_event_reader *reader = argument;
	uint64_t wanted_ms, look_ms;
	bool has_failed = false;

	do {
		struct tocsin_error error;
		int result;

		wanted_ms = tc_clock_ms() + reader->options.pace_ms;
		result = read_all(reader, &error);

		if (result && !has_failed)
			tc_log_warning("event_reader.failed", "reader %s stays where it is: %s",
				       reader->options.name, error.message);
		has_failed = result != TOCSIN_OK;
		look_ms = tc_clock_ms() +
			  (has_failed ? TC_EVENT_READER_RETRY_MS : TC_EVENT_READER_LOOK_MS);
		/* A failure is not tried again before its time, however often the reader is woken. */
		if (has_failed)
			wanted_ms = look_ms;
	} while (wait_for_work(reader, wanted_ms, look_ms));
	return NULL;
}

static void on_events(const struct tc_event *events, unsigned count, void *userdata)
{
	(void)events;
	(void)count;
	tc_event_reader_wake(userdata);
}

static int make_place(struct tc_event_reader *reader, struct tocsin_error *error)
{
	const char *const values[] = {reader->options.name, reader->options.begins_now ? "t" : "f"};
	TC_CLEANUP(tocsin_pool_release) struct tocsin_connection *connection = NULL;
	int result = tocsin_pool_acquire(reader->options.pool, &connection, error);

	if (result == TOCSIN_OK)
		result = tc_query(connection, &tc_sql_outbox_reader_register, values, NULL, error);
	return result;
}

static void destroy(struct tc_event_reader *reader)
{
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->mutex);
	free(reader);
}

int tc_event_reader_new(struct tc_event_reader **ret_reader,
			const struct tc_event_reader_options *options, struct tocsin_error *error)
{
	struct tc_event_reader *reader = calloc(1, sizeof(*reader));
	const struct tc_outbox_subscriber subscriber = {.tell = on_events, .userdata = reader};
	int result;

	if (!reader)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for a reader");
	reader->options = *options;
	reader->batch_max = options->batch_max ? options->batch_max : TC_EVENTS_MAX;
	tc_mutex_init(&reader->mutex);
	tc_cond_init(&reader->changed);
	result = make_place(reader, error);
	if (result == TOCSIN_OK)
		result = tc_thread_start(&reader->thread, options->thread_name, run, reader, error);
	if (result) {
		destroy(reader);
		return result;
	}
	result = tc_outbox_subscribe(options->outbox, TC_OUTBOX_LISTENERS, &subscriber, error);
	if (result) {
		tc_event_reader_free(reader);
		return result;
	}
	*ret_reader = reader;
	return TOCSIN_OK;
}

struct tc_event_reader *tc_event_reader_free(struct tc_event_reader *reader)
{
	if (!reader)
		return NULL;
	tc_mutex_lock(&reader->mutex);
	reader->must_stop = true;
	pthread_cond_signal(&reader->changed);
	tc_mutex_unlock(&reader->mutex);
	pthread_join(reader->thread, NULL);
	destroy(reader);
	return NULL;
}

void tc_event_reader_wake(struct tc_event_reader *reader)
{
	TC_LOCKED(&reader->mutex);

	reader->is_wanted = true;
	pthread_cond_signal(&reader->changed);
}
