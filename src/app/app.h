/* app/app.h: the wiring that a handler can reach. Fields are set once at start-up, before the HTTP
 * server starts, and live until after it stopped; so handlers read them without a lock. */
#pragma once

#include "app/config.h"
#include <tocsin/tocsin.h>

struct tc_executor;
struct tc_batcher;
struct tc_incident_creator;
struct tc_alert_intake;
struct tc_auth_cache;
