/* modules/catalog/catalog.c: reading the catalog; see catalog.h. */
#include "modules/catalog/catalog.h"

#include "base/macro.h"
#include "core/procedure/page.h"
#include "core/store.h"
#include "sql_app.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SYSTEM_ID_SIZE (255 * 4 + 1) /* characters of UTF-8, NUL */
#define TIME_DIGITS    18

int tc_catalog_not_found(const char *what, const char *id, struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "There is no %s %.255s", what, id);
}

/* "MICROSECONDS.ID"; `time` gets the first part, *ret_id points to the second. */
static bool split_cursor(const char *cursor, char time[static TIME_DIGITS + 1], const char **ret_id)
{
	size_t digits = strspn(cursor, "0123456789");

	if (digits < 1 || digits > TIME_DIGITS || cursor[digits] != '.' || !cursor[digits + 1] ||
	    strlen(cursor + digits + 1) >= SYSTEM_ID_SIZE)
		return false;
	memcpy(time, cursor, digits);
	time[digits] = '\0';
	*ret_id = cursor + digits + 1;
	return true;
}

int tc_catalog_list_systems(struct tocsin_pool *work_pool, const struct tc_catalog_filter *filter,
			    struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char limit[12], time[TIME_DIGITS + 1];
	const char *values[] = {limit, NULL, NULL, NULL, filter->group};
	const struct tc_sql *sql =
		filter->group ? &tc_sql_catalog_list_group_systems : &tc_sql_catalog_list_systems;
	TC_RESULT *rows = NULL;
	int result;

	assert(filter->limit >= 1 && filter->limit <= TC_CATALOG_LIST_MAX);
	if (filter->cursor) {
		if (!split_cursor(filter->cursor, time, &values[2]))
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"cursor is not one that a list gave");
		values[1] = time;
	}
	if (filter->discovered)
		values[3] = *filter->discovered ? "t" : "f";
	snprintf(limit, sizeof(limit), "%u", filter->limit + 1);
	result = tc_store_read(work_pool, sql, values, &rows, error);
	return result ? result : tc_page_format(rows, "systems", filter->limit, ret_json, error);
}

int tc_catalog_list_groups(struct tocsin_pool *work_pool, unsigned limit, const char *cursor,
			   struct tc_buffer *ret_json, struct tocsin_error *error)
{
	char limit_text[12];
	const char *const values[] = {limit_text, cursor};
	TC_RESULT *rows = NULL;
	int result;

	assert(limit >= 1 && limit <= TC_CATALOG_LIST_MAX);
	snprintf(limit_text, sizeof(limit_text), "%u", limit + 1);
	result = tc_store_read(work_pool, &tc_sql_catalog_list_groups, values, &rows, error);
	return result ? result : tc_page_format(rows, "groups", limit, ret_json, error);
}

int tc_catalog_get_group(struct tocsin_pool *work_pool, const char *id, struct tc_buffer *ret_json,
			 struct tocsin_error *error)
{
	TC_RESULT *rows = NULL;
	int result = tc_store_read(work_pool, &tc_sql_catalog_show_group, &id, &rows, error);

	if (result)
		return result;
	if (PQntuples(rows) == 0)
		return tc_catalog_not_found("group", id, error);
	return tc_store_take(rows, 0, ret_json, error);
}
