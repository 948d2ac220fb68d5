/* modules/incident/creator.c: deduped creates (creator.h has the model).
 *
 * A batch is one round trip: begin; try every key; open what is not open; commit. Of several requests
 * for one key in a batch the first leads: only it goes to the database, and the others share its answer. */
#include "modules/incident/creator.h"

#include "core/procedure/idempotency.h"
#include "core/procedure/procedure.h"
#include "modules/incident/draft.h"
#include "pg/array.h"
#include "pg/query.h"
#include "pg/transaction.h"
#include "sql_app.h"
#include "sql_lib.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tc_incident_creator {
	struct tc_incident_creator_options options;
	struct tc_batcher *batcher;
	_Atomic uint64_t created, reused, refused, failed;
};

/* One call on its way. Owned by the batcher from submit to finish. */
struct create {
	struct tc_item item;
	struct tc_incident_request request;
	struct tc_buffer answer;                             /* body, or the unknown systems */
	enum { CREATED, REUSED, REFUSED, ANSWERED } outcome; /* the last: to a request before it */
	bool is_unchanged; /* the incident was there before this batch */
	char key[];
};

/* A request among those of a batch, in the order of keys. */
struct place {
	struct create *create;
	unsigned index;  /* in the batch */
	unsigned leader; /* the place of the first request with this key */
	int row;         /* leader: its row in the answer, -1: its key is held elsewhere */
};

static struct create *create_free(struct create *create)
{
	if (!create)
		return NULL;
	tc_incident_request_deinit(&create->request);
	tc_buffer_deinit(&create->answer);
	free(create);
	return NULL;
}
TC_DEFINE_CLEANUP(struct create *, create_free);

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->create->key, y->create->key);

	if (order)
		return order;
	return x->index < y->index ? -1 : 1;
}

/* In the order of keys, so that two nodes that try the same ones do not take half of them each. */
static void sort_places(struct place *places, struct tc_item **items, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		places[i] = (struct place){.create = tc_list_entry(items[i], struct create, item),
					   .index = i,
					   .row = -1};
	qsort(places, count, sizeof(*places), compare_places);
	for (unsigned i = 0; i < count; i++) {
		bool follows =
			i > 0 && strcmp(places[i].create->key, places[i - 1].create->key) == 0;

		places[i].leader = follows ? places[i - 1].leader : i;
	}
}

/* The round trip; without the commit, where answers are to be stored before it. On failure nothing was committed,
 * unless the connection was lost. */
struct round_trip {
	const char *keys, *wait_key;
	uint64_t wait_ms;
	const char *const *values;
	bool commits;
};

static int open_batch(struct tocsin_connection *connection, const struct round_trip *trip,
		      PGresult **ret_rows, struct tocsin_error *error)
{
	TC_PIPELINE pipeline;
	char timeout[24];
	unsigned rows;
	int r;

	tc_pipeline_begin(&pipeline, connection);
	tc_pipeline_add(&pipeline, &tc_sql_pg_begin, NULL);
	if (trip->wait_key) {
		snprintf(timeout, sizeof(timeout), "%llu", (unsigned long long)trip->wait_ms);
		tc_pipeline_add(&pipeline, &tc_sql_incident_set_lock_timeout,
				(const char *const[]){timeout});
		tc_pipeline_add(&pipeline, &tc_sql_incident_wait_key, &trip->wait_key);
		pipeline.timeout_ms += trip->wait_ms;
	} else {
		tc_pipeline_add(&pipeline, &tc_sql_incident_try_keys, &trip->keys);
	}
	rows = tc_pipeline_add(&pipeline, &tc_sql_incident_open_batch, trip->values);
	if (trip->commits)
		tc_pipeline_add(&pipeline, &tc_sql_pg_commit, NULL);
	r = tc_pipeline_run(&pipeline, error);
	if (r) {
		/* Should it fail too, the pool closes the connection, and the server rolls back. */
		tc_query(connection, &tc_sql_pg_rollback, NULL, NULL, NULL);
		return tc_incident_blame_deletion(r, error);
	}
	*ret_rows = tc_take(pipeline.results[rows]);
	return TOCSIN_OK;
}

static void answer(struct create *create, const char *document, bool is_reused)
{
	create->outcome = is_reused ? REUSED : CREATED;
	tc_buffer_append_text(&create->answer, "{\"incident\":");
	tc_buffer_append_text(&create->answer, document);
	tc_buffer_append_text(&create->answer,
			      is_reused ? ",\"reused\":true}" : ",\"reused\":false}");
}

/* A follower of a refused leader may itself be fine: it goes again. */
static enum tc_item_state settle(struct place *place, const struct place *leader,
				 const PGresult *rows)
{
	const char *unknown;

	if (leader->row < 0)
		return TC_ITEM_BUSY;
	unknown = tc_result_get(rows, leader->row, TC_INCIDENT_OPEN_UNKNOWN);
	if (unknown && place != leader)
		return TC_ITEM_AGAIN;
	if (unknown) {
		place->create->outcome = REFUSED;
		tc_buffer_append_text(&place->create->answer, unknown);
		return TC_ITEM_DONE;
	}
	answer(place->create, PQgetvalue(rows, leader->row, TC_INCIDENT_OPEN_DOCUMENT),
	       place != leader || tc_result_is_true(rows, leader->row, TC_INCIDENT_OPEN_REUSED));
	place->create->item.is_follower = place != leader;
	place->create->is_unchanged = tc_result_is_true(rows, leader->row, TC_INCIDENT_OPEN_REUSED);
	return TC_ITEM_DONE;
}

static bool has_claims(const struct place *places, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (tc_idempotency_has(places[i].create->request.call))
			return true;
	return false;
}

/* Of the answers, those of requests with an Idempotency-Key are stored with what they tell of. */
static int commit_claimed(struct tocsin_connection *connection, struct place *places,
			  unsigned count, struct tocsin_error *error)
{
	TC_CLAIMS_SCOPED claims = {0};
	bool is_complete = false;
	int r;

	for (unsigned i = 0; i < count; i++) {
		const struct create *create = places[i].create;

		if (create->item.state == TC_ITEM_DONE && create->outcome != REFUSED)
			tc_claims_add(&claims, create->request.call,
				      create->outcome == REUSED ? 200 : 201, create->answer.data,
				      create->answer.length);
	}
	r = tc_claims_store(&claims, connection, &is_complete, error);
	if (r == TOCSIN_OK && is_complete)
		return tc_transaction_commit(connection, error);
	tc_transaction_rollback(connection);
	if (r)
		return r;
	/* One of them has an answer by now, which its request gets; the others go again. */
	for (unsigned i = 0; i < count; i++) {
		struct create *create = places[i].create;
		bool is_used = create->item.state == TC_ITEM_DONE && create->outcome != REFUSED &&
			       tc_claims_is_used(&claims, create->request.call);

		if (create->item.state != TC_ITEM_DONE)
			continue;
		create->item.state = is_used ? TC_ITEM_DONE : TC_ITEM_AGAIN;
		create->outcome = is_used ? ANSWERED : CREATED;
		tc_buffer_clear(&create->answer);
	}
	return TOCSIN_OK;
}

static int run(struct tocsin_connection *connection, struct tc_item **items, unsigned count,
	       const char *wait_key, void *userdata, struct tocsin_error *error)
{
	struct tc_incident_creator *creator = userdata;
	TC_INCIDENT_COLUMNS_SCOPED columns = {0};
	TC_BUFFER keys = {0};
	TC_RESULT *rows = NULL;
	struct place places[TC_INCIDENT_CREATOR_BATCH_MAX];
	unsigned leaders[TC_INCIDENT_CREATOR_BATCH_MAX], leaders_count = 0;
	struct round_trip trip;
	const char *keys_text;
	int r;

	assert(count > 0 && count <= TC_INCIDENT_CREATOR_BATCH_MAX);
	sort_places(places, items, count);
	for (unsigned i = 0; i < count; i++) {
		if (places[i].leader != i)
			continue;
		leaders[leaders_count++] = i;
		tc_array_append(&keys, places[i].create->key);
		tc_incident_columns_add(&columns, &places[i].create->request.draft);
	}
	assert(!wait_key || leaders_count == 1);
	keys_text = tc_array_finish(&keys);
	if (!keys_text)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	r = tc_incident_columns_finish(&columns, creator->options.reject_unknown_systems, error);
	if (r)
		return r;
	trip = (struct round_trip){
		.keys = keys_text,
		.wait_key = wait_key,
		.wait_ms = tc_batcher_remaining_ms(items, count, creator->options.wait_timeout_ms),
		.values = columns.values,
		.commits = !has_claims(places, count)};
	r = open_batch(connection, &trip, &rows, error);
	if (r)
		return r;
	for (int row = 0; row < PQntuples(rows); row++) {
		int ordinal = tc_result_get_integer(rows, row, TC_INCIDENT_OPEN_ORDINAL);

		assert(ordinal >= 1 && (unsigned)ordinal <= leaders_count);
		places[leaders[ordinal - 1]].row = row;
	}
	for (unsigned i = 0; i < count; i++)
		places[i].create->item.state = settle(&places[i], &places[places[i].leader], rows);
	return trip.commits ? TOCSIN_OK : commit_claimed(connection, places, count, error);
}

static void reply_failure(struct create *create)
{
	struct tc_call *call = create->request.call;

	if (create->item.error.code == TOCSIN_E_LOCK_TIMEOUT) {
		tc_call_set_retry_after(call, 1);
		tc_call_reply_problem_text(
			call, 409,
			"System \"%s\" is locked by another operation, and did not "
			"come free in time; nothing was changed. Try again.",
			create->request.draft.key_system);
	} else {
		tc_call_reply_error(call, &create->item.error);
	}
}

static void finish(struct tc_item *item, void *userdata)
{
	TC_CLEANUP(create_free) struct create *create = tc_list_entry(item, struct create, item);
	struct tc_incident_creator *creator = userdata;
	struct tc_call *call = create->request.call;

	if (item->state == TC_ITEM_DONE && create->outcome == ANSWERED) {
		creator->reused++;
		tc_claims_again(call);
	} else if (item->state == TC_ITEM_FAILED) {
		creator->failed++;
		reply_failure(create);
	} else if (create->outcome == REFUSED && !create->answer.failed) {
		creator->refused++;
		tc_incident_refuse_systems(call, create->answer.data);
	} else {
		tc_claims_done(call);
		*(create->outcome == REUSED ? &creator->reused : &creator->created) += 1;
		if (create->is_unchanged)
			tc_call_set_unchanged(call);
		if (item->is_follower)
			tc_call_set_follower(call);
		tc_call_reply_buffer(call, create->outcome == REUSED ? 200 : 201, &create->answer);
	}
}

int tc_incident_creator_new(struct tc_incident_creator **ret_creator,
			    const struct tc_incident_creator_options *options,
			    struct tocsin_error *error)
{
	TC_CLEANUP(tc_incident_creator_free)
	struct tc_incident_creator *creator = calloc(1, sizeof(*creator));
	struct tc_batcher_options batcher = {.name = "create",
					     .lock_pool = options->lock_pool,
					     .workers = options->workers,
					     .waiters_max = options->waiters_max,
					     .queue_max = TC_INCIDENT_CREATOR_QUEUE_MAX,
					     .batch_max = TC_INCIDENT_CREATOR_BATCH_MAX,
					     .wait_timeout_ms = options->wait_timeout_ms,
					     .run = run,
					     .finish = finish,
					     .userdata = creator};
	int r;

	if (!creator)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "Out of memory");
	creator->options = *options;
	if (batcher.workers == 0)
		batcher.workers = TC_INCIDENT_CREATOR_WORKERS;
	r = tc_batcher_new(&creator->batcher, &batcher, error);
	if (r)
		return r;
	*ret_creator = tc_take(creator);
	return TOCSIN_OK;
}

struct tc_incident_creator *tc_incident_creator_free(struct tc_incident_creator *creator)
{
	if (!creator)
		return NULL;
	tc_batcher_free(creator->batcher);
	free(creator);
	return NULL;
}

void tc_incident_creator_submit(struct tc_incident_creator *creator, struct tc_call *call)
{
	static const char prefix[] = TC_INCIDENT_DEDUPE_KEY_PREFIX;
	const json_t *systems = json_object_get(tc_call_input(call), "systemIds");
	const char *system = json_string_value(json_array_get(systems, 0));
	size_t key_size = sizeof(prefix) + strlen(system);
	TC_CLEANUP(create_free) struct create *create = calloc(1, sizeof(*create) + key_size);
	struct tocsin_error error = {0};
	int r;

	tc_idempotency_leave(call);
	if (!create) {
		tocsin_error_set(&error, TOCSIN_E_NOMEM, "Out of memory");
		tc_call_reply_error(call, &error);
		return;
	}
	r = tc_incident_request_init(&create->request, call, &error);
	if (r == TOCSIN_OK) {
		snprintf(create->key, key_size, "%s%s", prefix, system);
		create->item.key = create->key;
		create->item.exclusive = tc_idempotency_scope(call);
		r = tc_batcher_submit(creator->batcher, &create->item);
		if (r == TOCSIN_OK) {
			tc_take(create);
			return;
		}
		tocsin_error_set(&error, r, "Too many creates are waiting");
	}
	creator->failed++;
	tc_call_reply_error(call, &error);
}

void tc_incident_creator_get_stats(struct tc_incident_creator *creator,
				   struct tc_incident_creator_stats *ret_stats)
{
	tc_batcher_get_stats(creator->batcher, &ret_stats->batcher);
	ret_stats->created = creator->created;
	ret_stats->reused = creator->reused;
	ret_stats->refused = creator->refused;
	ret_stats->failed = creator->failed;
}
