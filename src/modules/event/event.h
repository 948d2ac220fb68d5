/* modules/event/event.h: procedures streamEvents and listAuditTrail, and the reader behind the latter. */
#pragma once

#include "core/outbox/event_reader.h"
#include "core/procedure/procedure.h"

/* Events copied in a transaction, which holds back the readers of the outbox for some milliseconds. */
#define TC_EVENT_AUDIT_COPY_MAX 1000u
/* Between two copies. A list shows also what is not copied yet, so nobody waits for a copy, and one of many events
 * costs creates less than many of a few. */
#define TC_EVENT_AUDIT_PACE_MS 500u

/* The durable reader "audit": copies the outbox to table `audit`. */
int tc_event_audit_new(struct tc_event_reader **ret_reader, struct tocsin_pool *work_pool,
		       struct tc_outbox *outbox, struct tocsin_error *error);

#define TC_EVENT_AUDIT_DEFAULT 50
#define TC_EVENT_AUDIT_MAX     500

struct tc_event_audit_filter {
	const char *subject, *actor; /* NULL: any */
	const char *cursor;          /* what nextCursor said; NULL: from the newest */
	unsigned limit;              /* 1 to TC_EVENT_AUDIT_MAX */
};

/* {"entries": [{id, at, kind, subject, action, systemIds, previous?, next?, actor?}], "nextCursor"?}, newest
 * first. INVALID for a cursor that is none. Blocks. */
int tc_event_audit_list(struct tocsin_pool *work_pool, const struct tc_event_audit_filter *filter,
			struct tc_buffer *ret_json, struct tocsin_error *error);

/* Ends with a row whose name is NULL. */
extern const struct tc_procedure tc_event_procedures[];
