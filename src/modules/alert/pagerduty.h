/* modules/alert/pagerduty.h: reading an event of PagerDuty's Events API, version 2
 * (https://developer.pagerduty.com/docs/send-alert-event).
 *
 * What is made of an event:
 *   action      event_action: trigger, acknowledge, resolve
 *   source      the one that routing_key names; it is the credential
 *   dedup key   dedup_key, at most 255 characters; made up for a trigger without one, needed otherwise
 *   system      payload.custom_details.system, else payload.component, else payload.source: the first that is a
 *               text and not blank; shortened beyond 255 characters (alert_request.h). Of an acknowledge or
 *               resolve: the alert's.
 *   severity    critical is critical; error and warning are major; info is minor
 *   title       payload.summary, at most 1024 characters, of which the first 500
 *   labels      source, component, group, class, where they are texts
 *   annotations summary, client, client_url, links, images, custom_details, as they are
 *
 * An acknowledge or resolve needs no payload, and none is read. Members that are not known are passed over,
 * as are timestamps: an alert is as old as its report. An event is refused where what is read of it has a NUL
 * (alert_request.h); what is passed over may have some.
 *
 * Pure: no shared state, no database, nothing blocks. */
#pragma once

#include "base/buffer.h"
#include "base/uuid.h"
#include "modules/alert/alert_request.h"
#include <jansson.h>

#define TC_PAGERDUTY_ERRORS_MAX 8

/* Sentences about what is wrong with an event; further ones are dropped. */
struct tc_pagerduty_errors {
	unsigned count;
	char texts[TC_PAGERDUTY_ERRORS_MAX][160];
};

/* Text is the body's, which must outlive the event. */
struct tc_pagerduty_event {
	enum tc_alert_report report;
	const char *routing_key;
	const char *dedup_key; /* maybe `made_key` */
	const char *system;    /* NULL unless it is a trigger, as the rest */
	const char *summary;
	const char *severity;
	char made_key[TC_UUID_SIZE];
};

/* Reads the members of `body`, an object. The event must not be moved. False: `errors` (zeroed by the caller)
 * says why. */
bool tc_pagerduty_read(const json_t *body, struct tc_pagerduty_event *event,
		       struct tc_pagerduty_errors *errors);

/* A request with the event's one alert. `system`: the alert's. NULL if memory ran out. */
struct tc_alert_request *tc_pagerduty_request(const json_t *body,
					      const struct tc_pagerduty_event *event,
					      const struct tc_alert_origin *origin,
					      const char *system);
