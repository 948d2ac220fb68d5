/* modules/incident/incident_timeline.c: updates and links of an incident; see incident.h. */
#include "modules/incident/incident_internal.h"

#include "base/uuid.h"
#include "http/url.h"
#include "sql_app.h"
#include <string.h>

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* What a statement whose answer is (conflict), and no row where there is no such `what`, has to say; then
 * the document. `full` is the sentence for a conflict of that name. */
static int judge(const struct tc_incident_change *change, const char *what, const char *full,
		 struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *conflict;

	if (PQntuples(change->done) == 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "Incident %.64s has no such %s",
					change->id, what);
	conflict = tc_result_get(change->done, 0, 0);
	if (conflict && strcmp(conflict, "url") == 0)
		return tocsin_error_set(error, TOCSIN_E_EXISTS,
					"The incident has a link with this URL");
	if (conflict && strcmp(conflict, "timeline") == 0)
		return tocsin_error_set(
			error, TOCSIN_E_EXISTS,
			"The incident's timeline has " TEXT_OF(
				TC_INCIDENT_TIMELINE_MAX) " bytes, which is the "
							  "most: delete updates, or open another "
							  "incident");
	if (conflict)
		return tocsin_error_set(error, TOCSIN_E_EXISTS, "%s",
					full ? full : "It is there already");
	return ret_json ? tc_store_take(change->shown, 0, ret_json, error) : TOCSIN_OK;
}

static int change_part(struct tocsin_pool *pool, struct tc_incident_change *change,
		       const char *what, const char *full, struct tc_buffer *ret_json,
		       struct tocsin_error *error)
{
	int r = tc_incident_change_run(pool, change, error);

	return r ? r : judge(change, what, full, ret_json, error);
}

/* --- updates --- */

int tc_incident_add_update(struct tocsin_pool *work_pool, const struct tc_incident_update *update,
			   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {update->incident_id, id,
				      update->message,     update->status,
				      update->visibility,  update->actor,
				      update->actor_name,  TEXT_OF(TC_INCIDENT_TIMELINE_MAX)};
	TC_INCIDENT_CHANGE change = {.id = update->incident_id,
				     .sql = &tc_sql_incident_add_update,
				     .values = values,
				     .show = &tc_sql_incident_get_update,
				     .show_values = values};

	tc_uuid_new(id);
	return change_part(work_pool, &change, "update", NULL, ret_json, error);
}

int tc_incident_edit_update(struct tocsin_pool *work_pool, const struct tc_incident_edit *edit,
			    struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *const values[] = {edit->incident_id,
				      edit->id,
				      edit->message,
				      edit->status,
				      edit->has_status ? "t" : "f",
				      edit->visibility,
				      edit->created_at,
				      TEXT_OF(TC_INCIDENT_EDITS_MAX),
				      edit->actor,
				      TEXT_OF(TC_INCIDENT_TIMELINE_MAX)};
	TC_INCIDENT_CHANGE change = {.id = edit->incident_id,
				     .sql = &tc_sql_incident_edit_update,
				     .values = values,
				     .show = &tc_sql_incident_get_update,
				     .show_values = values};

	return change_part(
		work_pool, &change, "update",
		"The update was edited " TEXT_OF(TC_INCIDENT_EDITS_MAX) " times, which is the most",
		ret_json, error);
}

int tc_incident_delete_update(struct tocsin_pool *work_pool, const char *incident_id,
			      const char *id, const char *actor, struct tocsin_error *error)
{
	const char *const values[] = {incident_id, id, actor};
	TC_INCIDENT_CHANGE change = {
		.id = incident_id, .sql = &tc_sql_incident_delete_update, .values = values};

	return change_part(work_pool, &change, "update", NULL, NULL, error);
}

/* --- links --- */

static int check_url(const char *url, struct tocsin_error *error)
{
	if (!url || tc_url_is_web(url))
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_INVALID,
				"url must be an http or https URL without spaces");
}

int tc_incident_add_link(struct tocsin_pool *work_pool, const struct tc_incident_link *link,
			 struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char id[TC_UUID_SIZE];
	const char *const values[] = {link->incident_id, id,
				      link->url,         link->label,
				      link->visibility,  TEXT_OF(TC_INCIDENT_LINKS_MAX),
				      link->actor};
	TC_INCIDENT_CHANGE change = {.id = link->incident_id,
				     .sql = &tc_sql_incident_add_link,
				     .values = values,
				     .show = &tc_sql_incident_get_link,
				     .show_values = values};
	int r = check_url(link->url, error);

	if (r)
		return r;
	tc_uuid_new(id);
	return change_part(
		work_pool, &change, "link",
		"The incident has " TEXT_OF(TC_INCIDENT_LINKS_MAX) " links, which is the most",
		ret_json, error);
}

int tc_incident_update_link(struct tocsin_pool *work_pool, const struct tc_incident_link *link,
			    struct tc_buffer *ret_json, struct tocsin_error *error)
{
	const char *const values[] = {
		link->incident_id,           link->id,         link->url,  link->label,
		link->has_label ? "t" : "f", link->visibility, link->actor};
	TC_INCIDENT_CHANGE change = {.id = link->incident_id,
				     .sql = &tc_sql_incident_update_link,
				     .values = values,
				     .show = &tc_sql_incident_get_link,
				     .show_values = values};
	int r = check_url(link->url, error);

	return r ? r : change_part(work_pool, &change, "link", NULL, ret_json, error);
}

int tc_incident_remove_link(struct tocsin_pool *work_pool, const char *incident_id, const char *id,
			    const char *actor, struct tocsin_error *error)
{
	const char *const values[] = {incident_id, id, actor};
	TC_INCIDENT_CHANGE change = {
		.id = incident_id, .sql = &tc_sql_incident_remove_link, .values = values};

	return change_part(work_pool, &change, "link", NULL, NULL, error);
}
