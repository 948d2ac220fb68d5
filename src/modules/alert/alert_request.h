/* modules/alert/alert_request.h: the alerts of one payload on their way through the batcher.
 *
 * Ownership. A request owns its alerts. It belongs to the handler until its alerts are submitted, then to
 * the batcher's threads together: whoever finishes the last alert calls `answer` and frees it. */
#pragma once

#include "base/macro.h"
#include "base/uuid.h"
#include "core/work/batcher.h"
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

struct tc_alert_request;

/* What became of one alert. */
enum tc_alert_outcome {
	TC_ALERT_FAILED,       /* not committed */
	TC_ALERT_OPENED,       /* opened an incident */
	TC_ALERT_JOINED,       /* joined the open incident of its system */
	TC_ALERT_REPEATED,     /* was firing and still is */
	TC_ALERT_ACKNOWLEDGED, /* is firing, and somebody has taken it up */
	TC_ALERT_RESOLVED,     /* was firing, is resolved */
	TC_ALERT_DROPPED, /* resolved or acknowledged, but unknown, resolved or acknowledged before */
	TC_ALERT_REFUSED, /* of a system nobody registered, where that is refused */
	TC_ALERT_OUTCOME_COUNT
};

#define TC_ALERT_DEDUP_KEY_MAX 255 /* characters; longer ones are hashed */
#define TC_ALERT_SYSTEM_MAX    255 /* characters; longer ones are shortened to a prefix and a hash */
#define TC_ALERT_TITLE_MAX     500   /* characters; longer ones are cut */
#define TC_ALERT_REQUEST_MAX   5000u /* alerts in one payload */

enum tc_alert_report { TC_ALERT_FIRING, TC_ALERT_ACKNOWLEDGE, TC_ALERT_RESOLVE };

/* Who reports, for the rows that come of it. */
struct tc_alert_origin {
	const char *
		source; /* alerts.source: a name space of dedup keys; at most TC_ALERT_SOURCE_MAX bytes */
	const char *actor;      /* as the outbox names it */
	const char *actor_name; /* as people know it */
	const char *opened;     /* the first update of an incident that an alert opened */
};

#define TC_ALERT_SOURCE_MAX 62

struct tc_alert {
	struct tc_item item; /* key is lock_key, exclusive is identity */
	struct tc_alert_request *request;
	enum tc_alert_outcome outcome;
	enum tc_alert_report report;
	char *lock_key;                       /* owned */
	const char *system_id;                /* within lock_key */
	char *identity;                       /* source, unit separator, dedup key; owned */
	const char *dedup_key;                /* within identity */
	const struct tc_alert_origin *origin; /* borrowed; must outlive the request */
	const char *severity;                 /* constant */
	char *title;                          /* owned */
	char *labels, *annotations;           /* JSON objects; owned */
	char incident_id[TC_UUID_SIZE];       /* of the incident it may open */
};

struct tc_alert_request {
	/* Called once, when the last alert is finished, on any thread; must not block or free the request. */
	void (*answer)(const struct tc_alert_request *request);
	void *userdata;      /* for answer */
	atomic_uint pending; /* alerts not finished, and one while they are submitted */
	unsigned count;
	struct tc_alert alerts[];
};

/* A request for `count` alerts, zeroed. NULL if memory ran out. */
struct tc_alert_request *tc_alert_request_new(unsigned count);
/* Frees the alerts and the request. NULL allowed, returns NULL. */
struct tc_alert_request *tc_alert_request_free(struct tc_alert_request *request);
TC_DEFINE_CLEANUP(struct tc_alert_request *, tc_alert_request_free);

/* Whether a text in `value`, at any depth, has a NUL: as a C string it would be another text, cut there, and
 * PostgreSQL has none that it could be kept as. NULL allowed. */
bool tc_alert_has_nul(const json_t *value);

/* Fills in an alert's origin, dedup key and system, which make its lock key and identity. Key and system
 * are copied, too long ones shortened as said above. False if memory ran out. */
bool tc_alert_set_identity(struct tc_alert *alert, const struct tc_alert_origin *origin,
			   const char *dedup_key, const char *system_id);
