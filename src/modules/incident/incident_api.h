/* modules/incident/incident_api.h: inside the room: handlers that have a file of their own. */
#pragma once

struct tc_call;

void tc_incident_create_run(struct tc_call *call);
