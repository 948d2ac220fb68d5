/* modules/catalog/catalog_api.h: what the procedures of systems and of groups share. Private to the module. */
#pragma once

#include "core/procedure.h"
#include "modules/catalog/catalog.h"

#define TC_CATALOG_SYSTEM_ID_MAX   255
#define TC_CATALOG_NAME_MAX        255
#define TC_CATALOG_DESCRIPTION_MAX 20000

struct tocsin_pool *tc_catalog_pool(const struct tc_call *call);
const char *tc_catalog_actor(const struct tc_call *call); /* NULL: nobody who is known */
/* The fields name and description, for id (NULL: a new thing). */
struct tc_catalog_wish tc_catalog_wish(const struct tc_call *call, const char *id);

/* Answers with `json`, or with what `result` is; 409 names the field `conflict` unless that is NULL. */
void tc_catalog_reply(struct tc_call *call, int result, unsigned status, struct tc_buffer *json,
		      const char *conflict, const struct tocsin_error *error);
/* 204, or what `result` is. */
void tc_catalog_reply_done(struct tc_call *call, int result, const struct tocsin_error *error);

#define TC_CATALOG_FIELD_LIMIT                                                                     \
	{                                                                                          \
		.name = "limit", .type = TC_FIELD_INTEGER, .place = TC_IN_QUERY, .min = 1,         \
		.max = TC_CATALOG_LIST_MAX, .description = "Most in the answer; 50 unless given"   \
	}
#define TC_CATALOG_FIELD_DESCRIPTION                                                               \
	{                                                                                          \
		.name = "description", .type = TC_FIELD_STRING, .flags = TC_NULLABLE,              \
		.max = TC_CATALOG_DESCRIPTION_MAX, .description = "What it is; null clears it"     \
	}
#define TC_CATALOG_FIELD_END                                                                       \
	{                                                                                          \
		.type = TC_FIELD_END                                                               \
	}
