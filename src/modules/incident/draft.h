/* modules/incident/draft.h: what is to become an incident, and the parameters of sql/open_batch.sql, which
 * opens many at once. Used by deduped creates, plain ones and alerts. Nothing here blocks. */
#pragma once

#include "base/buffer.h"
#include "base/uuid.h"
#include "core/procedure/procedure.h"
#include <stdbool.h>
#include <tocsin/error.h>

/* Most systems one incident may be given at once. */
#define TC_INCIDENT_SYSTEMS_MAX 500

/* Text is borrowed; it must live until the columns are finished. NULL: not set. */
struct tc_incident_draft {
	const char *id, *title, *description, *severity, *health;
	bool suppress;
	const char *systems; /* text of an array (pg/array.h) of distinct systems */
	const char
		*key_system; /* its oldest open incident is taken instead; NULL: open one anyway */
	const char *message, *update_id; /* first update; NULL: none */
	const char *actor, *actor_name;
};

/* A draft made from a call of createIncident, with what the call does not own. */
struct tc_incident_request {
	struct tc_call *call; /* borrowed */
	struct tc_incident_draft draft;
	struct tc_buffer systems;
	char id[TC_UUID_SIZE], update_id[TC_UUID_SIZE];
};

/* Fills `request`, whose draft points into it and the call's input: it must not be moved. NOMEM. */
int tc_incident_request_init(struct tc_incident_request *request, struct tc_call *call,
			     struct tocsin_error *error);
void tc_incident_request_deinit(struct tc_incident_request *request);

/* Makes the text of an array of `ids`, strings of which a repeated one counts once. NOMEM. */
int tc_incident_distinct(struct tc_buffer *array, const json_t *ids, struct tocsin_error *error);

/* Answers the call with 422, naming those of its systemIds that are in `unknown` (a JSON array, as the database
 * gave it). */
void tc_incident_refuse_systems(struct tc_call *call, const char *unknown);

#define TC_INCIDENT_COLUMNS    12
#define TC_INCIDENT_PARAMETERS 13

/* Parameters of sql/open_batch.sql; zeroed: no draft yet. */
struct tc_incident_columns {
	struct tc_buffer buffers[TC_INCIDENT_COLUMNS];
	const char *values[TC_INCIDENT_PARAMETERS]; /* after finish */
};

void tc_incident_columns_add(struct tc_incident_columns *columns,
			     const struct tc_incident_draft *draft);
int tc_incident_columns_finish(struct tc_incident_columns *columns, bool reject_unknown_systems,
			       struct tocsin_error *error);
void tc_incident_columns_deinit(struct tc_incident_columns *columns);
#define TC_INCIDENT_COLUMNS_SCOPED                                                                 \
	__attribute__((cleanup(tc_incident_columns_deinit))) struct tc_incident_columns

/* A foreign key that sql/open_batch.sql breaks is a system that was deleted while it ran, found or discovered
 * by it a moment before: tried again, it discovers the system anew. Returns RETRY for it, other codes
 * unchanged. */
int tc_incident_blame_deletion(int code, struct tocsin_error *error);

/* Columns of the answer of sql/open_batch.sql. */
enum {
	TC_INCIDENT_OPEN_ORDINAL, /* from 1: which draft; those whose key was not locked are left out */
	TC_INCIDENT_OPEN_REUSED,
	TC_INCIDENT_OPEN_UNKNOWN, /* not NULL: refused */
	TC_INCIDENT_OPEN_DOCUMENT
};
