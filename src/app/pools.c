/* app/pools.c: see pools.h. */
#include "app/pools.h"

#include "base/log.h"

static void log_notice(enum tocsin_pool_notice notice, const char *pool, const char *detail,
		       void *userdata)
{
	(void)userdata;
	if (notice == TOCSIN_POOL_CONNECTION_DIED)
		tc_log_warning("pool.connection_died", "pool %s: an idle connection ended: %s",
			       pool, detail ? detail : "no reason given");
}

int tc_pools_new_events(struct tocsin_pool **ret_pool, const struct tc_config *config,
			const char *conninfo, struct tocsin_error *error)
{
	const struct tocsin_pool_options options = {
		.name = "tocsin-events",
		.conninfo = conninfo,
		.purpose = TOCSIN_POOL_WORK,
		.max = TC_POOLS_EVENTS_MAX,
		.connection_timeout_ms = config->connection_timeout_ms,
		.idle_timeout_ms = config->idle_timeout_ms,
		.has_generic_plans = true,
		.avoids_seq_scans = true,
		.notice = log_notice,
	};

	return tocsin_pool_new(ret_pool, &options, error);
}

int tc_pools_new(struct tocsin_pool **ret_pool, const struct tc_config *config,
		 const char *conninfo, enum tocsin_pool_purpose purpose, unsigned max,
		 struct tocsin_error *error)
{
	bool is_lock = purpose == TOCSIN_POOL_LOCK;
	struct tocsin_pool_options options = {
		.name = is_lock ? "tocsin-lock" : "tocsin-work",
		.conninfo = conninfo,
		.purpose = purpose,
		.max = is_lock ? config->lock_pool_max : config->pool_max,
		.connection_timeout_ms = config->connection_timeout_ms,
		.idle_timeout_ms = config->idle_timeout_ms,
		.idle_tx_timeout_ms = is_lock ? config->lock_idle_tx_timeout_ms : 0,
		.lock_timeout_ms = is_lock ? config->lock_timeout_ms : 0,
		.has_generic_plans = true,
		.avoids_seq_scans = true,
		.notice = log_notice,
	};

	if (max)
		options.max = max;
	return tocsin_pool_new(ret_pool, &options, error);
}
