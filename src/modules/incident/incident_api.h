/* modules/incident/incident_api.h: inside the room: what the procedures share. */
#pragma once

#include "core/procedure/reply.h"
#include "modules/incident/incident.h"

#define TC_INCIDENT_TITLE_MAX       500
#define TC_INCIDENT_DESCRIPTION_MAX 20000
#define TC_INCIDENT_MESSAGE_MAX     20000
#define TC_INCIDENT_SYSTEM_ID_MAX   255

/* The choices of fields; NULL-terminated. */
extern const char *const tc_incident_statuses[], *const tc_incident_severities[],
							 *const tc_incident_healths[],
								 *const tc_incident_visibilities[];

struct tocsin_pool *tc_incident_pool(const struct tc_call *call);
/* What of updates and links the caller may see; decided for every request. */
const char *tc_incident_visibility(const struct tc_call *call);
const char *tc_incident_actor_name(const struct tc_call *call); /* NULL: nobody who is known */

/* createIncident: incident_create.c */
void tc_incident_create_run(struct tc_call *call);

#define TC_INCIDENT_FIELD_ID(its_name)                                                             \
	{                                                                                          \
		.name = (its_name), .type = TC_FIELD_UUID, .place = TC_IN_PATH,                    \
		.flags = TC_REQUIRED, .description = "The incident's id"                           \
	}
#define TC_INCIDENT_FIELD_SYSTEM                                                                   \
	{                                                                                          \
		.name = "systemId", .type = TC_FIELD_STRING, .place = TC_IN_PATH,                  \
		.flags = TC_REQUIRED, .min = 1, .max = TC_INCIDENT_SYSTEM_ID_MAX,                  \
		.description = "The system's id"                                                   \
	}
#define TC_INCIDENT_FIELD_LIMIT                                                                    \
	TC_FIELD_LIST_LIMIT(TC_INCIDENT_LIST_MAX, "Most incidents in the answer; 50 unless given")
#define TC_INCIDENT_FIELD_END                                                                      \
	{                                                                                          \
		.type = TC_FIELD_END                                                               \
	}
