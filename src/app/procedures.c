/* app/procedures.c: see procedures.h. A module's table is served once it is in this list. */
#include "app/procedures.h"

#include "app/server.h"
#include "base/macro.h"
#include "modules/alert/alert.h"
#include "modules/auth/auth.h"
#include "modules/catalog/catalog.h"
#include "modules/event/event.h"
#include "modules/incident/incident.h"
#include <string.h>

const struct tc_procedure *const tc_procedure_tables[] = {
	tc_incident_procedures,      tc_alert_procedures,         tc_auth_procedures,
	tc_pagerduty_procedures,     tc_source_procedures,        tc_auth_session_procedures,
	tc_auth_user_procedures,     tc_catalog_group_procedures, tc_catalog_system_procedures,
	tc_event_procedures,         tc_status_procedures,        tc_incident_timeline_procedures,
	tc_incident_bulk_procedures, tc_openapi_procedures,
};
const size_t tc_procedure_tables_count = TC_ARRAY_LENGTH(tc_procedure_tables);

const struct tc_procedure *tc_procedure_find(const char *name)
{
	for (size_t i = 0; i < tc_procedure_tables_count; i++)
		for (const struct tc_procedure *row = tc_procedure_tables[i]; row->name; row++)
			if (strcmp(row->name, name) == 0)
				return row;
	return NULL;
}

#define NEEDS_SESSION "it is about a browser's session, and commands have a key"

static const struct {
	const char *name, *reason;
} not_called[] = {
	{"streamEvents", "its answer does not end; tocsin events follows it"},
	{"logIn", NEEDS_SESSION},
	{"logOut", NEEDS_SESSION},
	{"changePassword", NEEDS_SESSION "; tocsin user passwd gives a user another password"},
};

const char *tc_procedure_not_called(const struct tc_procedure *procedure)
{
	for (size_t i = 0; i < TC_ARRAY_LENGTH(not_called); i++)
		if (strcmp(not_called[i].name, procedure->name) == 0)
			return not_called[i].reason;
	return NULL;
}
