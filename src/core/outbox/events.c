/* core/outbox/events.c: see events.h; the order of events is in sql/0002_events.sql. */
#include "core/outbox/events.h"

#include "sql_app.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int tc_event_position_compare(const struct tc_event_position *a, const struct tc_event_position *b)
{
	if (a->transaction != b->transaction)
		return a->transaction < b->transaction ? -1 : 1;
	return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

void tc_event_position_format(const struct tc_event_position *position,
			      char ret_transaction[static TC_EVENT_NUMBER_SIZE],
			      char ret_sequence[static TC_EVENT_NUMBER_SIZE])
{
	snprintf(ret_transaction, TC_EVENT_NUMBER_SIZE, "%" PRIu64, position->transaction);
	snprintf(ret_sequence, TC_EVENT_NUMBER_SIZE, "%" PRIu64, position->sequence);
}

struct tc_event_position tc_event_position_get(const PGresult *rows, int row, int column)
{
	return (struct tc_event_position){
		.transaction = strtoull(PQgetvalue(rows, row, column), NULL, 10),
		.sequence = strtoull(PQgetvalue(rows, row, column + 1), NULL, 10),
	};
}

int tc_event_horizon_get(const PGresult *rows, int column, struct tc_event_position *ret_position,
			 struct tocsin_error *error)
{
	if (PQntuples(rows) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND,
					"the table event_horizon has lost its row, which nodes "
					"make anew");
	*ret_position = tc_event_position_get(rows, 0, column);
	return TOCSIN_OK;
}

/* Columns of fetch_events.sql; fetch_events_brief.sql has the first of them. */
enum { TRANSACTION, SEQUENCE, KIND, SUBJECT, ACTION, SYSTEMS, DOCUMENT, LIFECYCLE };

static void fill(struct tc_event *event, const PGresult *rows, int row, bool is_brief)
{
	*event = (struct tc_event){
		.position = tc_event_position_get(rows, row, TRANSACTION),
		.kind = PQgetvalue(rows, row, KIND),
		.subject = PQgetvalue(rows, row, SUBJECT),
		.is_brief = is_brief,
	};
	if (is_brief)
		return;
	event->action = PQgetvalue(rows, row, ACTION);
	event->systems = PQgetvalue(rows, row, SYSTEMS);
	event->document = tc_result_get(rows, row, DOCUMENT);
	event->lifecycle = tc_result_get(rows, row, LIFECYCLE);
}

static void take_rows(struct tc_events *events, PGresult *rows, bool is_brief)
{
	events->rows = rows;
	events->count = (unsigned)PQntuples(rows);
	assert(events->count <= TC_EVENTS_MAX);
	for (unsigned row = 0; row < events->count; row++)
		fill(&events->events[row], rows, (int)row, is_brief);
}

/* Columns of events_resume.sql. */
enum { IS_THERE, IS_HORIZON, REMOVED };

static unsigned add_page(struct tc_pipeline *pipeline, const struct tc_event_look *wanted)
{
	struct tc_event_position after = wanted->after;
	char transaction[TC_EVENT_NUMBER_SIZE], sequence[TC_EVENT_NUMBER_SIZE], limit[12];
	const char *const values[] = {transaction, sequence, limit};

	if (wanted->is_again && after.sequence > 0)
		after.sequence--;
	tc_event_position_format(&after, transaction, sequence);
	snprintf(limit, sizeof(limit), "%u", TC_EVENTS_MAX);
	return tc_pipeline_add(pipeline,
			       wanted->is_brief ? &tc_sql_outbox_fetch_events_brief
						: &tc_sql_outbox_fetch_events,
			       values);
}

static unsigned add_resume(struct tc_pipeline *pipeline, const struct tc_event_look *wanted)
{
	char transaction[TC_EVENT_NUMBER_SIZE], sequence[TC_EVENT_NUMBER_SIZE];
	const char *const values[] = {transaction, sequence};

	tc_event_position_format(&wanted->after, transaction, sequence);
	return tc_pipeline_add(pipeline, &tc_sql_outbox_events_resume, values);
}

/* Each statement has a snapshot of its own. So whether the position is known comes after the page: what was
 * removed before the page was read is then sure to be seen. */
int tc_events_look(struct tocsin_connection *connection, const struct tc_event_look *wanted,
		   struct tc_events *ret_events, struct tc_event_outlook *ret_outlook,
		   struct tocsin_error *error)
{
	struct tc_event_position removed;
	const PGresult *resume;
	TC_PIPELINE pipeline;
	unsigned page, known, held;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	page = add_page(&pipeline, wanted);
	known = add_resume(&pipeline, wanted);
	held = tc_pipeline_add(&pipeline, &tc_sql_outbox_events_held, NULL);
	result = tc_pipeline_run(&pipeline, error);
	resume = pipeline.results[known];
	if (result == TOCSIN_OK)
		result = tc_event_horizon_get(resume, REMOVED, &removed, error);
	if (result)
		return result;
	*ret_outlook = (struct tc_event_outlook){
		.is_known = tc_result_is_true(resume, 0, IS_THERE) ||
			    (!wanted->is_again && tc_result_is_true(resume, 0, IS_HORIZON)),
		.is_held = tc_result_is_true(pipeline.results[held], 0, 0),
		.removed = removed,
	};
	take_rows(ret_events, tc_take(pipeline.results[page]), wanted->is_brief);
	return TOCSIN_OK;
}

void tc_events_deinit(struct tc_events *events)
{
	PQclear(tc_take(events->rows));
	events->count = 0;
}

int tc_events_get_lags(struct tocsin_connection *connection, const struct tc_event_position *live,
		       struct tc_event_lag ret_lags[static TC_EVENT_READERS_MAX],
		       unsigned *ret_count, struct tocsin_error *error)
{
	char transaction[TC_EVENT_NUMBER_SIZE], sequence[TC_EVENT_NUMBER_SIZE], limit[12];
	const char *const values[] = {transaction, sequence, limit};
	TC_RESULT *rows = NULL;
	int result;

	tc_event_position_format(live, transaction, sequence);
	snprintf(limit, sizeof(limit), "%d", TC_EVENT_READERS_MAX);
	result = tc_query(connection, &tc_sql_outbox_events_lag, values, &rows, error);
	if (result)
		return result;
	for (int row = 0; row < PQntuples(rows); row++) {
		struct tc_event_lag *lag = &ret_lags[row];

		snprintf(lag->reader, sizeof(lag->reader), "%s", PQgetvalue(rows, row, 0));
		lag->seconds = strtod(PQgetvalue(rows, row, 1), NULL);
		lag->count = strtoll(PQgetvalue(rows, row, 2), NULL, 10);
	}
	*ret_count = (unsigned)PQntuples(rows);
	return TOCSIN_OK;
}
