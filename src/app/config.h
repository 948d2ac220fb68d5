/* app/config.h: settings, from the environment, one const table (name, default, limits, help).
 * A bad value names the setting, the value and what is allowed; the process ends with status 78. */
#pragma once

#include "base/log.h"
#include <stdbool.h>
#include <stdio.h>
#include <tocsin/error.h>

struct tc_config {
	char *listen;                /* TOCSIN_LISTEN, 127.0.0.1:3000 */
	char *data_directory;        /* TOCSIN_DATA_DIR */
	char *database_url;          /* DATABASE_URL; NULL: embedded cluster */
	char *admin_key;             /* TOCSIN_ADMIN_KEY; secret; NULL: make one */
	bool anonymous_read;         /* TOCSIN_ANONYMOUS_READ: true or false */
	unsigned session_hours;      /* TOCSIN_SESSION_HOURS */
	bool cookie_secure;          /* TOCSIN_COOKIE_SECURE: true or false */
	bool trust_proxy;            /* TOCSIN_TRUST_PROXY: true or false */
	enum tc_log_level log_level; /* TOCSIN_LOG: "info", "debug,json", ... */
	bool log_json;
	unsigned pool_max, lock_pool_max;
	unsigned connection_timeout_ms, idle_timeout_ms, lock_idle_tx_timeout_ms, lock_timeout_ms;
	bool reject_unknown_systems; /* TOCSIN_UNKNOWN_SYSTEMS: discover or reject */
	char *alert_system_labels;   /* TOCSIN_ALERT_SYSTEM_LABELS: "system,service,job,instance" */
	unsigned event_retention_s;  /* TOCSIN_EVENT_RETENTION: "7d" */
	unsigned audit_retention_s;  /* TOCSIN_AUDIT_RETENTION: "365d" */
	unsigned alert_retention_s;  /* TOCSIN_ALERT_RETENTION: "30d" */
	unsigned event_streams_per_caller; /* TOCSIN_EVENT_STREAMS_PER_CALLER */
	bool alert_auto_resolve;           /* TOCSIN_ALERT_AUTO_RESOLVE: true or false */
};

/* Reads every setting; on failure the error names the bad one. Owned by the caller: deinit. */
int tc_config_init(struct tc_config *config, struct tocsin_error *error);
void tc_config_deinit(struct tc_config *config);
/* For a value that only its use could judge: makes `error`, which says what went wrong, name the setting, the value
 * and what is allowed. Returns TOCSIN_E_INVALID: exit status 78. Not for secrets. */
int tc_config_refuse(const char *name, const char *value, struct tocsin_error *error);
/* The table for people: name, default, what it does. */
void tc_config_help(FILE *out);
