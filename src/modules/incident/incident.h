/* modules/incident/incident.h: the incident service: everything but deduped creates (creator.h).
 *
 * Answers are JSON as the API shows it, built by PostgreSQL. A change runs in one transaction that holds
 * the incident's row, and writes its outbox row there. All functions block for the database; any thread
 * that holds no work connection may call them. `ret_json` is an empty buffer; what is in it after a failure means nothing. */
#pragma once

#include "base/buffer.h"
#include "modules/incident/draft.h"
#include <jansson.h>
#include <tocsin/pool.h>

#define TC_INCIDENT_LIST_DEFAULT 50
#define TC_INCIDENT_LIST_MAX     500

/* Plain numbers: they are also texts in statements. */
#define TC_INCIDENT_BULK_EACH_MAX                                                                  \
	100 /* incidents of one system, updates of one incident, in a bulk read */
#define TC_INCIDENT_BY_SYSTEM_MAX 10000 /* incidents in one answer of list_by_system */
#define TC_INCIDENT_EDITS_MAX     100   /* versions in an edit history */
#define TC_INCIDENT_TIMELINE_MAX                                                                   \
	8388608                   /* bytes of an incident's updates and their edit histories */
#define TC_INCIDENT_LINKS_MAX 100 /* of one incident */

/* Which updates and links somebody sees: those up to this one. The names are the database's. */
#define TC_INCIDENT_PUBLIC    "public"
#define TC_INCIDENT_LOGGED_IN "logged_in"
#define TC_INCIDENT_INTERNAL  "internal" /* and edit histories */

/* Opens an incident, whatever else is open. If systems are refused, *ret_refused is true, nothing was
 * opened, and `ret_json` has a JSON array of them; else the incident. */
int tc_incident_open(struct tocsin_pool *work_pool, const struct tc_incident_draft *draft,
		     bool reject_unknown_systems, struct tc_buffer *ret_json, bool *ret_refused,
		     struct tocsin_error *error);

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

/* Adds an update; the answer is the update. A status other than resolved reopens. NOT_FOUND;
 * EXISTS where the timeline would have more than TC_INCIDENT_TIMELINE_MAX bytes. */
int tc_incident_add_update(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			   struct tc_buffer *ret_json, struct tocsin_error *error);

/* Resolves with an update (whose status and visibility do not matter; message NULL: a sentence of ours);
 * the answer is the incident. Changes nothing if it is resolved. `ret_json` and `ret_changed` may be NULL.
 * NOT_FOUND. */
int tc_incident_resolve(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			struct tc_buffer *ret_json, bool *ret_changed, struct tocsin_error *error);

/* What is to become of an incident; NULL: as it is. */
struct tc_incident_wish {
	const char *id, *title, *severity;
	const char *description, *health; /* if has_...; NULL clears */
	bool has_description, has_health;
	const bool *suppress;
	const char *
		systems; /* text of an array (pg/array.h) of distinct systems, which replace all others */
	bool reject_unknown_systems;
	const char *actor;
};

/* Changes an incident; the answer is the incident. If systems are refused, *ret_refused is true, nothing was
 * changed, and `ret_json` has a JSON array of them. NOT_FOUND. */
int tc_incident_update(struct tocsin_pool *work_pool, const struct tc_incident_wish *wish,
		       struct tc_buffer *ret_json, bool *ret_refused, struct tocsin_error *error);

/* Deletes an incident with everything that belongs to it. `actor` may be NULL. NOT_FOUND. */
int tc_incident_delete(struct tocsin_pool *work_pool, const char *id, const char *actor,
		       struct tocsin_error *error);

/* {"suppressed": true|false} */
int tc_incident_has_suppression(struct tocsin_pool *work_pool, const char *system,
				struct tc_buffer *ret_json, struct tocsin_error *error);

/* {id: {"status", "severity", "systemIds"}}; `ids` is the text of an array (pg/array.h). */
int tc_incident_get_states(struct tocsin_pool *work_pool, const char *ids,
			   struct tc_buffer *ret_json, struct tocsin_error *error);

/* --- updates and links; each of these is NOT_FOUND for the incident, and for a part of another one --- */

/* What is to become of an update; NULL: as it is. */
struct tc_incident_edit {
	const char *incident_id, *id, *message, *visibility;
	const char *status; /* if has_status; NULL: it turns nothing */
	bool has_status;
	const char *created_at; /* RFC 3339 */
	const char *actor;
};

/* Edits an update; the answer is the update with its edit history. If nothing changes, nothing is archived.
 * The incident's status becomes that of its newest update that carries one. EXISTS after
 * TC_INCIDENT_EDITS_MAX edits, and where the timeline would have more than TC_INCIDENT_TIMELINE_MAX bytes. */
int tc_incident_edit_update(struct tocsin_pool *work_pool, const struct tc_incident_edit *edit,
			    struct tc_buffer *ret_json, struct tocsin_error *error);
/* Deletes an update. The incident's status likewise; it stays if no update carries one. */
int tc_incident_delete_update(struct tocsin_pool *work_pool, const char *incident_id,
			      const char *id, const char *actor, struct tocsin_error *error);

struct tc_incident_link {
	const char *incident_id;
	const char *id;                       /* of the link; not for a new one */
	const char *url, *label, *visibility; /* for a change, NULL: as it is */
	bool has_label;                       /* for a change: it is given, perhaps as NULL */
	const char *actor;
};

/* The answer is the link. INVALID for what is no web address, EXISTS for a URL that the incident has, and
 * when it has TC_INCIDENT_LINKS_MAX links. */
int tc_incident_add_link(struct tocsin_pool *work_pool, const struct tc_incident_link *link,
			 struct tc_buffer *ret_json, struct tocsin_error *error);
int tc_incident_update_link(struct tocsin_pool *work_pool, const struct tc_incident_link *link,
			    struct tc_buffer *ret_json, struct tocsin_error *error);
int tc_incident_remove_link(struct tocsin_pool *work_pool, const char *incident_id, const char *id,
			    const char *actor, struct tocsin_error *error);

/* --- many at once; `systems` and `ids` are texts of arrays (pg/array.h), without repetitions --- */

/* {"incidents": {system: [...]}}: the open ones, newest first, at most TC_INCIDENT_BULK_EACH_MAX of each. */
int tc_incident_list_of_systems(struct tocsin_pool *work_pool, const char *systems,
				struct tc_buffer *ret_json, struct tocsin_error *error);
/* {"updates": {id: [...]}}, oldest first, the newest TC_INCIDENT_BULK_EACH_MAX of each; ids that do not exist
 * are left out. */
int tc_incident_list_updates(struct tocsin_pool *work_pool, const char *ids, const char *visibility,
			     struct tc_buffer *ret_json, struct tocsin_error *error);
/* {"incidents": {system: [...]}} of every open incident; {..., "truncated": true} where there are more than
 * TC_INCIDENT_BY_SYSTEM_MAX, of which these are the newest. */
int tc_incident_list_by_system(struct tocsin_pool *work_pool, struct tc_buffer *ret_json,
			       struct tocsin_error *error);
/* {"overrides": {system: {"status", "incidentId", "incidentTitle"}}}: the worst that an open incident says;
 * of equal ones the oldest. */
int tc_incident_list_health_overrides(struct tocsin_pool *work_pool, const char *systems,
				      struct tc_buffer *ret_json, struct tocsin_error *error);
/* {"ids": [...]}: those that exist, in the order given. */
int tc_incident_list_refs(struct tocsin_pool *work_pool, const char *ids,
			  struct tc_buffer *ret_json, struct tocsin_error *error);

struct tc_incident_bulk {
	bool is_deletion;    /* else they are resolved */
	const json_t *ids;   /* an array of strings, which may be anything else than UUIDs */
	const char *message; /* of the updates that resolve; NULL: a sentence of ours */
	const char *actor, *actor_name;
};

/* {"results": [{"id", "outcome", "detail"?}]} in the order of the ids, each as it came; an outcome is resolved,
 * deleted, unchanged (it was resolved), notFound or failed, the latter two with a detail. Fails where not even the
 * first could be tried. */
int tc_incident_change_many(struct tocsin_pool *work_pool, const struct tc_incident_bulk *bulk,
			    struct tc_buffer *ret_json, struct tocsin_error *error);

/* Procedures of incidents, of their updates and links, and of many at once; each ends with a row whose name
 * is NULL. */
extern const struct tc_procedure tc_incident_procedures[];
extern const struct tc_procedure tc_incident_timeline_procedures[];
extern const struct tc_procedure tc_incident_bulk_procedures[];
