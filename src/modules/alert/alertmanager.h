/* modules/alert/alertmanager.h: reading Alertmanager's webhook, version "4"
 * (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
 *
 * What is made of an alert:
 *   state       its own `status`; the group's does not count
 *   system      the first of the configured labels that is there and not empty; else `alertname`;
 *               else "unknown"
 *   dedup key   `fingerprint`; where it is missing or empty, a hash of the labels sorted by name
 *   severity    label `severity`: critical is critical; warning, error and high are major; else minor
 *   title       annotation `summary`; else `alertname`; else "Alert on SYSTEM"; cut at 500 characters
 * System and dedup key are shortened beyond 255 characters (alert_request.h).
 *
 * Pure: no shared state, no database, nothing blocks. */
#pragma once

#include "http/problem.h"
#include "modules/alert/alert_request.h"
#include <jansson.h>

#define TC_ALERT_SYSTEM_LABELS_MAX 16

/* Names of the labels that may name the system, in order. */
struct tc_alert_labels {
	char *text; /* owned; the names, each ended by NUL */
	unsigned count;
	const char *names[TC_ALERT_SYSTEM_LABELS_MAX];
};

/* Reads "system,service,job". INVALID if there is none, too many, an empty one, or one with characters that
 * no label has. */
int tc_alert_labels_init(struct tc_alert_labels *labels, const char *list,
			 struct tocsin_error *error);
void tc_alert_labels_deinit(struct tc_alert_labels *labels);

/* Reads `alerts`, the payload's member. On success the caller owns *ret_request. INVALID: `problem` (zeroed
 * by the caller) says which members are wrong, by JSON pointer. NOMEM. */
int tc_alertmanager_parse(const json_t *alerts, const struct tc_alert_labels *labels,
			  struct tc_alert_request **ret_request, struct tc_problem *problem,
			  struct tocsin_error *error);
