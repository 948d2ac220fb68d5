/* modules/event/audit.c: the audit trail: a copy of the outbox that outlives it (sql/0010_audit.sql). */
#include "modules/event/event.h"

#include "core/procedure/page.h"
#include "core/store.h"
#include "sql_app.h"
#include <stdio.h>
#include <string.h>

static int copy(struct tocsin_connection *connection, const struct tc_event_span *span,
		void *userdata, struct tocsin_error *error)
{
	char texts[4][TC_EVENT_NUMBER_SIZE];
	const char *const values[] = {texts[0], texts[1], texts[2], texts[3]};

	(void)userdata;
	tc_event_position_format(&span->from, texts[0], texts[1]);
	tc_event_position_format(&span->to, texts[2], texts[3]);
	return tc_query(connection, &tc_sql_event_copy_audit, values, NULL, error);
}

int tc_event_audit_new(struct tc_event_reader **ret_reader, struct tocsin_pool *work_pool,
		       struct tc_outbox *outbox, struct tocsin_error *error)
{
	const struct tc_event_reader_options options = {.name = "audit",
							.thread_name = "audit",
							.pool = work_pool,
							.outbox = outbox,
							.batch_max = TC_EVENT_AUDIT_COPY_MAX,
							.pace_ms = TC_EVENT_AUDIT_PACE_MS,
							.handle = copy};

	return tc_event_reader_new(ret_reader, &options, error);
}

static const struct tc_sql *find_statement(const struct tc_event_audit_filter *filter)
{
	if (filter->subject)
		return &tc_sql_event_list_audit_subject;
	return filter->actor ? &tc_sql_event_list_audit_actor : &tc_sql_event_list_audit;
}

int tc_event_audit_list(struct tocsin_pool *work_pool, const struct tc_event_audit_filter *filter,
			struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char limit[12]; /* one more than shown says whether there is a next page */
	const char *const values[] = {limit, filter->cursor,
				      filter->subject ? filter->subject : filter->actor,
				      filter->actor};
	TC_RESULT *rows = NULL;
	int result;

	if (filter->cursor && (!filter->cursor[0] || strlen(filter->cursor) > 18 ||
			       filter->cursor[strspn(filter->cursor, "0123456789")]))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"cursor is not one that a list gave");
	snprintf(limit, sizeof(limit), "%u", filter->limit + 1);
	result = tc_store_read(work_pool, find_statement(filter), values, &rows, error);
	return result ? result : tc_page_format(rows, "entries", filter->limit, ret_json, error);
}
