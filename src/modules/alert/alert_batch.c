/* One batch of alerts: two round trips, one transaction.
 *
 * 1. begin; try every system's lock; lock the rows of incidents concerned; look what is known.
 *    Each step is a statement of its own, so that what it reads is younger than the locks before it.
 * 2. open incidents for those alerts that want one, with the statement that deduped creates use; write
 *    firing reports, acknowledgements, resolved ones; resolve incidents that have no firing alert left;
 *    commit.
 *
 * Whether an alert wants an incident depends on what step 1 found, and only those that want one may reach
 * the shared statement: that is the second round trip. Alerts whose system is locked elsewhere
 * leave the batch after step 1. */
#include "modules/alert/alert_batch.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "pg/array.h"
#include "pg/query.h"
#include "pg/transaction.h"
#include "sql_app.h"
#include "sql_lib.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 12

/* Parameters of one statement: an array a column, built row by row. */
struct columns {
	struct tc_buffer buffers[COLUMNS_MAX];
	const char *values[COLUMNS_MAX];
};

struct batch {
	const struct tc_alert_policy *policy;
	struct tocsin_connection *connection;
	struct tc_item **items;
	unsigned count;
	const char *wait_key;
	const char **keys; /* distinct, sorted */
	unsigned keys_count;
	bool *wants;      /* an entry an alert: wants an incident */
	bool *has_leader; /* an entry a key: an alert of it asks for the incident */
	unsigned firing, acknowledged, resolved, wanting; /* alerts of the second round trip */
};

static void columns_deinit(struct columns *columns)
{
	for (unsigned i = 0; i < COLUMNS_MAX; i++)
		tc_buffer_deinit(&columns->buffers[i]);
}
#define COLUMNS __attribute__((cleanup(columns_deinit))) struct columns

static int columns_finish(struct columns *columns, struct tocsin_error *error)
{
	for (unsigned i = 0; i < COLUMNS_MAX; i++) {
		columns->values[i] = tc_array_finish(&columns->buffers[i]);
		if (!columns->values[i])
			return tocsin_error_set(error, TOCSIN_E_NOMEM,
						"out of memory for a batch of alerts");
	}
	return TOCSIN_OK;
}

static void columns_add(struct columns *columns, unsigned column, const char *value)
{
	assert(column < COLUMNS_MAX);
	tc_array_append(&columns->buffers[column], value);
}

static struct tc_alert *alert_of(const struct batch *batch, unsigned index)
{
	return tc_container_of(batch->items[index], struct tc_alert, item);
}

/* --- keys --- */

static int compare_keys(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Sorted, so that two nodes that try the same keys do not take half of them each. */
static void sort_keys(struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		batch->keys[i] = batch->items[i]->key;
	qsort(batch->keys, batch->count, sizeof(*batch->keys), compare_keys);
	batch->keys_count = 0;
	for (unsigned i = 0; i < batch->count; i++)
		if (i == 0 || strcmp(batch->keys[i], batch->keys[batch->keys_count - 1]) != 0)
			batch->keys[batch->keys_count++] = batch->keys[i];
}

/* The key's index in tocsin.locked, from 1. */
static unsigned find_key(const struct batch *batch, const char *key)
{
	const char **found =
		bsearch(&key, batch->keys, batch->keys_count, sizeof(*batch->keys), compare_keys);

	return (unsigned)(found - batch->keys) + 1;
}

/* --- first round trip --- */

static int look(struct batch *batch, PGresult **ret_rows, struct tocsin_error *error)
{
	COLUMNS keys = {0};
	COLUMNS alerts = {0};
	TC_PIPELINE pipeline;
	uint64_t wait_ms =
		tc_batcher_remaining_ms(batch->items, batch->count, batch->policy->wait_timeout_ms);
	char index[12], wait_timeout[24];
	unsigned last;
	int result;

	assert(!batch->wait_key || batch->keys_count == 1);
	snprintf(wait_timeout, sizeof(wait_timeout), "%llu", (unsigned long long)wait_ms);
	for (unsigned i = 0; i < batch->keys_count; i++)
		columns_add(&keys, 0, batch->keys[i]);
	for (unsigned i = 0; i < batch->count; i++) {
		const struct tc_alert *alert = alert_of(batch, i);

		columns_add(&alerts, 0, alert->origin->source);
		columns_add(&alerts, 1, alert->dedup_key);
		columns_add(&alerts, 2, alert->system_id);
		snprintf(index, sizeof(index), "%u", find_key(batch, alert->lock_key));
		columns_add(&alerts, 3, index);
	}
	result = columns_finish(&keys, error);
	if (!result)
		result = columns_finish(&alerts, error);
	if (result)
		return result;

	tc_pipeline_begin(&pipeline, batch->connection);
	tc_pipeline_add(&pipeline, &tc_sql_pg_begin, NULL);
	if (batch->wait_key) {
		tc_pipeline_add(&pipeline, &tc_sql_incident_set_lock_timeout,
				(const char *const[]){wait_timeout});
		tc_pipeline_add(&pipeline, &tc_sql_incident_wait_key, &batch->wait_key);
		pipeline.timeout_ms += wait_ms;
	} else {
		tc_pipeline_add(&pipeline, &tc_sql_incident_try_keys, keys.values);
	}
	tc_pipeline_add(&pipeline, &tc_sql_alert_lock_incidents, alerts.values);
	last = tc_pipeline_add(&pipeline, &tc_sql_alert_look, alerts.values);
	result = tc_pipeline_run(&pipeline, error);
	if (!result)
		*ret_rows = tc_take(pipeline.results[last]);
	return result;
}

enum {
	LOOK_IS_LOCKED,
	LOOK_WAS_FIRING,
	LOOK_HAS_OPEN_INCIDENT,
	LOOK_IS_KNOWN_SYSTEM,
	LOOK_IS_ACKNOWLEDGED
};

/* What is to be done with each alert, from what is known of it. */
static void decide(struct batch *batch, const PGresult *rows)
{
	assert((unsigned)PQntuples(rows) == batch->count);
	batch->firing = batch->acknowledged = batch->resolved = batch->wanting = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		struct tc_alert *alert = alert_of(batch, i);
		bool was_firing = tc_result_is_true(rows, (int)i, LOOK_WAS_FIRING);
		bool is_open =
			was_firing && tc_result_is_true(rows, (int)i, LOOK_HAS_OPEN_INCIDENT);

		batch->wants[i] = false;
		alert->outcome = TC_ALERT_FAILED;
		alert->item.state = TC_ITEM_DONE;
		if (!tc_result_is_true(rows, (int)i, LOOK_IS_LOCKED)) {
			alert->item.state = TC_ITEM_BUSY;
		} else if (alert->report == TC_ALERT_ACKNOWLEDGE) {
			bool is_new =
				is_open && !tc_result_is_true(rows, (int)i, LOOK_IS_ACKNOWLEDGED);

			alert->outcome = is_new ? TC_ALERT_ACKNOWLEDGED : TC_ALERT_DROPPED;
			batch->acknowledged += is_new;
		} else if (alert->report == TC_ALERT_RESOLVE) {
			alert->outcome = was_firing ? TC_ALERT_RESOLVED : TC_ALERT_DROPPED;
			batch->resolved += was_firing;
		} else if (is_open) {
			alert->outcome = TC_ALERT_REPEATED;
			batch->firing++;
		} else if (batch->policy->reject_unknown_systems &&
			   !tc_result_is_true(rows, (int)i, LOOK_IS_KNOWN_SYSTEM)) {
			alert->outcome = TC_ALERT_REFUSED;
		} else {
			alert->outcome = TC_ALERT_JOINED; /* or opened: the database will say */
			batch->wants[i] = true;
			batch->wanting++;
			batch->firing++;
		}
	}
}

/* --- second round trip --- */

static int collect_firing(const struct batch *batch, struct columns *columns,
			  struct tocsin_error *error)
{
	for (unsigned i = 0; i < batch->count; i++) {
		const struct tc_alert *alert = alert_of(batch, i);
		const char *const row[] = {alert->origin->source, alert->dedup_key,
					   alert->system_id,      alert->severity,
					   alert->title,          alert->labels,
					   alert->annotations,    batch->wants[i] ? "t" : "f"};

		if (!batch->wants[i] && alert->outcome != TC_ALERT_REPEATED)
			continue;
		for (unsigned column = 0; column < TC_ARRAY_LENGTH(row); column++)
			columns_add(columns, column, row[column]);
		if (batch->wants[i])
			columns_add(columns, TC_ARRAY_LENGTH(row), alert->incident_id);
	}
	return columns_finish(columns, error);
}

/* The alerts with that outcome, and who reports them. */
static int collect_reports(const struct batch *batch, enum tc_alert_outcome outcome,
			   struct columns *columns, struct tocsin_error *error)
{
	char update_id[TC_UUID_SIZE];

	for (unsigned i = 0; i < batch->count; i++) {
		const struct tc_alert *alert = alert_of(batch, i);

		if (alert->outcome != outcome)
			continue;
		tc_uuid_new(update_id);
		columns_add(columns, 0, alert->origin->source);
		columns_add(columns, 1, alert->dedup_key);
		columns_add(columns, 2, update_id);
		columns_add(columns, 3, alert->origin->actor);
		columns_add(columns, 4, alert->origin->actor_name);
	}
	return columns_finish(columns, error);
}

/* Those that got the incident they brought an id for have opened it. */
static void note_opened(struct batch *batch, const PGresult *rows)
{
	int row = 0;

	assert((unsigned)PQntuples(rows) == batch->firing);
	for (unsigned i = 0; i < batch->count; i++) {
		struct tc_alert *alert = alert_of(batch, i);

		if (!batch->wants[i] && alert->outcome != TC_ALERT_REPEATED)
			continue;
		if (batch->wants[i] && strcmp(PQgetvalue(rows, row, 0), alert->incident_id) == 0)
			alert->outcome = TC_ALERT_OPENED;
		row++;
	}
}

/* The first alert of each system that wants an incident asks for it; the others of the system join. */
static int collect_open(struct batch *batch, struct columns *columns, struct columns *locked,
			struct tocsin_error *error)
{
	int result;

	memset(batch->has_leader, 0, batch->keys_count * sizeof(*batch->has_leader));
	for (unsigned i = 0; i < batch->count; i++) {
		const struct tc_alert *alert = alert_of(batch, i);
		unsigned key = find_key(batch, alert->lock_key) - 1;
		char update_id[TC_UUID_SIZE];
		TC_BUFFER systems = {0};

		if (!batch->wants[i] || batch->has_leader[key])
			continue;
		batch->has_leader[key] = true;
		tc_uuid_new(update_id);
		tc_array_append(&systems, alert->system_id);
		tc_array_finish(&systems);
		if (systems.failed)
			return tocsin_error_set(error, TOCSIN_E_NOMEM,
						"out of memory for a batch of alerts");
		/* In the order of open_batch.sql's parameters. */
		const char *const row[] = {alert->incident_id,
					   alert->title,
					   NULL,
					   alert->severity,
					   "f",
					   NULL,
					   systems.data,
					   alert->system_id,
					   alert->origin->opened,
					   update_id,
					   alert->origin->actor,
					   alert->origin->actor_name};

		static_assert(TC_ARRAY_LENGTH(row) <= COLUMNS_MAX, "a column each");
		for (unsigned column = 0; column < TC_ARRAY_LENGTH(row); column++)
			columns_add(columns, column, row[column]);
		columns_add(locked, 0, "t");
	}
	result = columns_finish(columns, error);
	return result ? result : columns_finish(locked, error);
}

static void add_open(struct tc_pipeline *pipeline, const struct columns *columns,
		     const struct columns *locked)
{
	const char *values[13];

	static_assert(TC_ARRAY_LENGTH(values) == COLUMNS_MAX + 1, "the columns, and one for all");
	memcpy(values, columns->values, sizeof(columns->values));
	values[COLUMNS_MAX] = "f"; /* unknown systems were refused before */
	tc_pipeline_add(pipeline, &tc_sql_alert_mark_locked, locked->values);
	tc_pipeline_add(pipeline, &tc_sql_incident_open_batch, values);
}

/* Parameters of the second round trip. */
struct writes {
	struct columns open, locked, firing, acknowledged, resolved;
};

static void writes_deinit(struct writes *writes)
{
	columns_deinit(&writes->open);
	columns_deinit(&writes->locked);
	columns_deinit(&writes->firing);
	columns_deinit(&writes->acknowledged);
	columns_deinit(&writes->resolved);
}

static int collect(struct batch *batch, struct writes *writes, struct tocsin_error *error)
{
	int result = collect_open(batch, &writes->open, &writes->locked, error);

	if (!result)
		result = collect_firing(batch, &writes->firing, error);
	if (!result)
		result =
			collect_reports(batch, TC_ALERT_ACKNOWLEDGED, &writes->acknowledged, error);
	if (!result)
		result = collect_reports(batch, TC_ALERT_RESOLVED, &writes->resolved, error);
	return result;
}

static int write_all(struct batch *batch, unsigned *ret_incidents_resolved,
		     struct tocsin_error *error)
{
	__attribute__((cleanup(writes_deinit))) struct writes writes = {0};
	TC_PIPELINE pipeline;
	unsigned firing_at = 0, resolve_at = 0;
	bool resolves = batch->resolved > 0 && batch->policy->auto_resolve;
	int result = collect(batch, &writes, error);

	if (result)
		return result;
	tc_pipeline_begin(&pipeline, batch->connection);
	if (batch->wanting > 0)
		add_open(&pipeline, &writes.open, &writes.locked);
	if (batch->firing > 0)
		firing_at = tc_pipeline_add(&pipeline, &tc_sql_alert_record_firing,
					    writes.firing.values);
	if (batch->acknowledged > 0)
		tc_pipeline_add(&pipeline, &tc_sql_alert_acknowledge, writes.acknowledged.values);
	if (batch->resolved > 0)
		tc_pipeline_add(&pipeline, &tc_sql_alert_record_resolved, writes.resolved.values);
	if (resolves)
		resolve_at = tc_pipeline_add(&pipeline, &tc_sql_alert_resolve_incidents,
					     writes.resolved.values);
	tc_pipeline_add(&pipeline, &tc_sql_pg_commit, NULL);
	result = tc_pipeline_run(&pipeline, error);
	if (result)
		return result;
	if (batch->firing > 0)
		note_opened(batch, pipeline.results[firing_at]);
	*ret_incidents_resolved = resolves ? (unsigned)PQntuples(pipeline.results[resolve_at]) : 0;
	return TOCSIN_OK;
}

int tc_alert_batch_run(const struct tc_alert_policy *policy, struct tocsin_connection *connection,
		       struct tc_item **items, unsigned count, const char *wait_key,
		       unsigned *ret_incidents_resolved, struct tocsin_error *error)
{
	TC_FREE char *keys = calloc(count, sizeof(char *));
	TC_FREE char *flags = calloc(count, 2 * sizeof(bool));
	TC_RESULT *rows = NULL;
	struct batch batch = {
		.policy = policy,
		.connection = connection,
		.items = items,
		.count = count,
		.wait_key = wait_key,
		.keys = (const char **)(void *)keys,
		.wants = (bool *)(void *)flags,
	};
	int result;

	assert(count > 0);
	if (!keys || !flags)
		return tocsin_error_set(error, TOCSIN_E_NOMEM,
					"out of memory for a batch of alerts");
	batch.has_leader = batch.wants + count;
	sort_keys(&batch);
	result = look(&batch, &rows, error);
	if (!result) {
		decide(&batch, rows);
		result = write_all(&batch, ret_incidents_resolved, error);
	}
	if (result)
		tc_transaction_rollback(connection);
	return result;
}
