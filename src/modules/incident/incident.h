/* modules/incident/incident.h: the incident service: everything but deduped creates (creator.h).
 *
 * Answers are JSON as the API shows it, built by PostgreSQL. A change runs in one transaction that holds
 * the incident's row, and writes its outbox row there. All functions block for the database; any thread
 * that holds no work connection may call them. `ret_json` is an empty buffer; what is in it after a failure means nothing. */
#pragma once

#include "base/buffer.h"
#include "modules/incident/draft.h"
#include <tocsin/pool.h>

#define TC_INCIDENT_LIST_DEFAULT 50
#define TC_INCIDENT_LIST_MAX     500

/* Which updates and links somebody sees: those up to this one. The names are the database's. */
#define TC_INCIDENT_PUBLIC    "public"
#define TC_INCIDENT_LOGGED_IN "logged_in"
#define TC_INCIDENT_INTERNAL  "internal" /* and edit histories */

/* Opens an incident, whatever else is open. If systems are refused, *ret_refused is true, nothing was
 * opened, and `ret_json` has a JSON array of them; else the incident. */
int tc_incident_open(struct tocsin_pool *work_pool, const struct tc_incident_draft *draft,
		     bool reject_unknown_systems, struct tc_buffer *ret_json, bool *ret_refused,
		     struct tocsin_error *error);

/* The incident with updates and links. NOT_FOUND. */
int tc_incident_get(struct tocsin_pool *work_pool, const char *id, const char *visibility,
		    struct tc_buffer *ret_json, struct tocsin_error *error);

struct tc_incident_filter {
	const char *system; /* NULL: any */
	const char *status; /* NULL: any open one, or any at all with include_resolved */
	bool include_resolved;
	unsigned limit;     /* 1 to TC_INCIDENT_LIST_MAX */
	const char *cursor; /* nextCursor of the page before; NULL: from the newest */
};

/* {"incidents": [...], "nextCursor"?}, newest first. INVALID for a cursor that no list gave. */
int tc_incident_list(struct tocsin_pool *work_pool, const struct tc_incident_filter *filter,
		     struct tc_buffer *ret_json, struct tocsin_error *error);

struct tc_incident_update {
	const char *incident_id, *message;
	const char *status; /* the status it turns the incident to; NULL: none */
	const char *visibility;
	const char *actor, *actor_name; /* NULL: nobody who is known */
};

/* Adds an update; the answer is the update. A status other than resolved reopens. NOT_FOUND. */
int tc_incident_add_update(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			   struct tc_buffer *ret_json, struct tocsin_error *error);

/* Resolves with an update (whose status and visibility do not matter; message NULL: a sentence of ours);
 * the answer is the incident. Changes nothing if it is resolved. NOT_FOUND. */
int tc_incident_resolve(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			struct tc_buffer *ret_json, struct tocsin_error *error);

/* Deletes an incident with everything that belongs to it. `actor` may be NULL. NOT_FOUND. */
int tc_incident_delete(struct tocsin_pool *work_pool, const char *id, const char *actor,
		       struct tocsin_error *error);

/* {"suppressed": true|false} */
int tc_incident_has_suppression(struct tocsin_pool *work_pool, const char *system,
				struct tc_buffer *ret_json, struct tocsin_error *error);

/* {id: {"status", "severity", "systemIds"}}; `ids` is the text of an array (pg/array.h). */
int tc_incident_get_states(struct tocsin_pool *work_pool, const char *ids,
			   struct tc_buffer *ret_json, struct tocsin_error *error);

/* Procedures; ends with a row whose name is NULL. */
extern const struct tc_procedure tc_incident_procedures[];
