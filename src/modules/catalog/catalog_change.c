/* modules/catalog/catalog_change.c: changing the catalog, all but deleting a system; see catalog.h.
 *
 * A change is one pipeline in a transaction: hold the row; ask what is in the way; write; show. The
 * question is for people, who want to know the field; the unique index is what decides. Where the index
 * objects and the question did not, somebody else was faster: the whole is tried again, and the question
 * then finds the other. */
#include "modules/catalog/catalog.h"

#include "base/uuid.h"
#include "core/store.h"
#include "http/url.h"
#include "pg/query.h"
#include "sql_app.h"
#include <stdio.h>
#include <string.h>

/* Only `write` must be there. */
struct change {
	const struct tc_sql *lock, *check, *write, *show;
	const char *id; /* parameter of lock and show */
	const char *const *check_values, *const *values;
	bool needs_row;      /* write answers with a row, or it has done nothing */
	const char *missing; /* because this is not there; NULL: because somebody was faster */
	const char *full;    /* what is in the way where the question says so */
	struct tc_buffer *ret_json;
	const char *conflict; /* set by run */
};

static int not_found(const struct change *change, struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no such %s", change->missing);
}

/* The fields that questions name, as constants. */
static int conflict(struct change *change, const char *field, struct tocsin_error *error)
{
	static const char *const fields[] = {"id", "name", "value", "url"};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(fields); i++) {
		if (strcmp(fields[i], field) != 0)
			continue;
		change->conflict = fields[i];
		return tocsin_error_set(error, TOCSIN_E_EXISTS, "The %s is taken", field);
	}
	return tocsin_error_set(error, TOCSIN_E_EXISTS, "%s", change->full);
}

struct indexes {
	unsigned lock, check, write, show;
};

/* What the results of the pipeline, which ended with `result`, say. */
static int judge(struct change *change, const struct tc_pipeline *pipeline,
		 const struct indexes *at, int result, struct tocsin_error *error)
{
	const PGresult *lock = change->lock ? pipeline->results[at->lock] : NULL;
	const PGresult *check = change->check ? pipeline->results[at->check] : NULL;

	if (result && result != TOCSIN_E_EXISTS && result != TOCSIN_E_REFERENCE)
		return result;
	if (lock && PQntuples(lock) == 0)
		return not_found(change, error);
	if (check && !PQgetisnull(check, 0, 0))
		return conflict(change, PQgetvalue(check, 0, 0), error);
	if (!result && (!change->needs_row || PQntuples(pipeline->results[at->write]) > 0))
		return TOCSIN_OK;
	if (result == TOCSIN_E_EXISTS || !change->missing)
		return tocsin_error_set(error, TOCSIN_E_RETRY, "Somebody did the same; try again");
	return not_found(change, error);
}

static int run_change(struct tocsin_connection *connection, void *userdata,
		      struct tocsin_error *error)
{
	struct change *change = userdata;
	struct indexes at = {0};
	const PGresult *shown;
	TC_PIPELINE pipeline;
	int result;

	tc_pipeline_begin(&pipeline, connection);
	if (change->lock)
		at.lock = tc_pipeline_add(&pipeline, change->lock, &change->id);
	if (change->check)
		at.check = tc_pipeline_add(&pipeline, change->check, change->check_values);
	at.show = at.write = tc_pipeline_add(&pipeline, change->write, change->values);
	if (change->show)
		at.show = tc_pipeline_add(&pipeline, change->show, &change->id);
	result = judge(change, &pipeline, &at, tc_pipeline_run(&pipeline, error), error);
	if (result || !change->ret_json)
		return result;
	shown = pipeline.results[at.show];
	tc_buffer_clear(change->ret_json); /* of an attempt that could not commit */
	return tc_store_take(shown, 0, change->ret_json, error);
}

/* `ret_conflict` may be NULL. */
static int run(struct tocsin_pool *pool, struct change *change, const char **ret_conflict,
	       struct tocsin_error *error)
{
	int result = tocsin_pool_transact(pool, run_change, change, error);

	if (result == TOCSIN_E_EXISTS && ret_conflict)
		*ret_conflict = change->conflict;
	return result;
}

/* --- systems --- */

int tc_catalog_create_system(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			     struct tc_buffer *ret_json, const char **ret_conflict,
			     struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const check[] = {wish->id, wish->name, "t"};
	const char *const values[] = {wish->id, wish->name, wish->description, id, wish->actor};
	struct change change = {.check = &tc_sql_catalog_check_system,
				.check_values = check,
				.write = &tc_sql_catalog_create_system,
				.values = values,
				.needs_row = true,
				.ret_json = ret_json};

	tc_uuid_new(id);
	return run(work_pool, &change, ret_conflict, error);
}

int tc_catalog_update_system(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			     struct tc_buffer *ret_json, const char **ret_conflict,
			     struct tocsin_error *error)
{
	const char *const check[] = {wish->id, wish->name, "f"};
	const char *const values[] = {wish->id, wish->name, wish->description,
				      wish->has_description ? "t" : "f", wish->actor};
	struct change change = {.lock = &tc_sql_catalog_lock_system,
				.id = wish->id,
				.check = &tc_sql_catalog_check_system,
				.check_values = check,
				.write = &tc_sql_catalog_update_system,
				.values = values,
				.show = &tc_sql_catalog_show_system,
				.missing = "system",
				.ret_json = ret_json};

	return run(work_pool, &change, ret_conflict, error);
}

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

int tc_catalog_add_contact(struct tocsin_pool *work_pool, const struct tc_catalog_contact *contact,
			   struct tc_buffer *ret_json, const char **ret_conflict,
			   struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {contact->system,
				      contact->type,
				      contact->value,
				      TEXT_OF(TC_CATALOG_CONTACTS_MAX),
				      id,
				      contact->label,
				      contact->actor};
	struct change change = {
		.lock = &tc_sql_catalog_lock_system,
		.id = contact->system,
		.check = &tc_sql_catalog_check_contact,
		.check_values = values,
		.write = &tc_sql_catalog_add_contact,
		.values = values,
		.missing = "system",
		.full = "The system has " TEXT_OF(TC_CATALOG_CONTACTS_MAX) " contacts, "
									   "which is the most",
		.ret_json = ret_json};

	tc_uuid_new(id);
	return run(work_pool, &change, ret_conflict, error);
}

int tc_catalog_remove_contact(struct tocsin_pool *work_pool, const char *system, const char *id,
			      const char *actor, struct tocsin_error *error)
{
	const char *const values[] = {system, id, actor};
	struct change change = {.write = &tc_sql_catalog_remove_contact,
				.values = values,
				.needs_row = true,
				.missing = "contact of this system"};

	return run(work_pool, &change, NULL, error);
}

int tc_catalog_add_link(struct tocsin_pool *work_pool, const struct tc_catalog_link *link,
			struct tc_buffer *ret_json, const char **ret_conflict,
			struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {link->system, link->url,   TEXT_OF(TC_CATALOG_LINKS_MAX),
				      id,           link->label, link->actor};
	struct change change = {
		.lock = &tc_sql_catalog_lock_system,
		.id = link->system,
		.check = &tc_sql_catalog_check_link,
		.check_values = values,
		.write = &tc_sql_catalog_add_link,
		.values = values,
		.missing = "system",
		.full = "The system has " TEXT_OF(TC_CATALOG_LINKS_MAX) " links, which "
									"is the most",
		.ret_json = ret_json};

	if (!tc_url_is_web(link->url))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"url must be an http or https URL without spaces");
	tc_uuid_new(id);
	return run(work_pool, &change, ret_conflict, error);
}

int tc_catalog_remove_link(struct tocsin_pool *work_pool, const char *system, const char *id,
			   const char *actor, struct tocsin_error *error)
{
	const char *const values[] = {system, id, actor};
	struct change change = {.write = &tc_sql_catalog_remove_link,
				.values = values,
				.needs_row = true,
				.missing = "link of this system"};

	return run(work_pool, &change, NULL, error);
}

/* --- groups --- */

int tc_catalog_create_group(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			    struct tc_buffer *ret_json, const char **ret_conflict,
			    struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const check[] = {id, wish->name};
	const char *const values[] = {id, wish->name, wish->description, wish->actor};
	struct change change = {.check = &tc_sql_catalog_check_group,
				.check_values = check,
				.write = &tc_sql_catalog_create_group,
				.values = values,
				.ret_json = ret_json};

	tc_uuid_new(id);
	return run(work_pool, &change, ret_conflict, error);
}

int tc_catalog_update_group(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
			    struct tc_buffer *ret_json, const char **ret_conflict,
			    struct tocsin_error *error)
{
	const char *const check[] = {wish->id, wish->name};
	const char *const values[] = {wish->id, wish->name, wish->description,
				      wish->has_description ? "t" : "f", wish->actor};
	struct change change = {.lock = &tc_sql_catalog_lock_group,
				.id = wish->id,
				.check = &tc_sql_catalog_check_group,
				.check_values = check,
				.write = &tc_sql_catalog_update_group,
				.values = values,
				.show = &tc_sql_catalog_show_group,
				.missing = "group",
				.ret_json = ret_json};

	return run(work_pool, &change, ret_conflict, error);
}

int tc_catalog_delete_group(struct tocsin_pool *work_pool, const char *id, const char *actor,
			    struct tocsin_error *error)
{
	const char *const values[] = {id, actor};
	struct change change = {.lock = &tc_sql_catalog_lock_group,
				.id = id,
				.write = &tc_sql_catalog_delete_group,
				.values = values,
				.missing = "group"};

	return run(work_pool, &change, NULL, error);
}

int tc_catalog_add_member(struct tocsin_pool *work_pool, const char *system, const char *group,
			  const char *actor, struct tocsin_error *error)
{
	const char *const values[] = {system, group, TEXT_OF(TC_CATALOG_GROUPS_MAX), actor};
	struct change change = {
		.lock = &tc_sql_catalog_lock_system,
		.id = system,
		.check = &tc_sql_catalog_check_member,
		.check_values = values,
		.write = &tc_sql_catalog_add_member,
		.values = values,
		.needs_row = true,
		.missing = "system or group",
		.full = "The system is in " TEXT_OF(TC_CATALOG_GROUPS_MAX) " groups, "
									   "which is the most"};

	return run(work_pool, &change, NULL, error);
}

int tc_catalog_remove_member(struct tocsin_pool *work_pool, const char *system, const char *group,
			     const char *actor, struct tocsin_error *error)
{
	const char *const values[] = {system, group, actor};
	struct change change = {.write = &tc_sql_catalog_remove_member,
				.values = values,
				.needs_row = true,
				.missing = "system in this group"};

	return run(work_pool, &change, NULL, error);
}
