/* modules/catalog/catalog_api.h: what the procedures of systems and of groups share. Private to the module. */
#pragma once

#include "core/procedure/reply.h"
#include "modules/catalog/catalog.h"

#define TC_CATALOG_SYSTEM_ID_MAX   255
#define TC_CATALOG_NAME_MAX        255
#define TC_CATALOG_DESCRIPTION_MAX 20000

struct tocsin_pool *tc_catalog_pool(const struct tc_call *call);

/* What create or update of a system or a group does. */
typedef int (*tc_catalog_wish_fn)(struct tocsin_pool *work_pool, const struct tc_catalog_wish *wish,
				  struct tc_buffer *ret_json, const char **ret_conflict,
				  struct tocsin_error *error);
/* Grants the wish in the fields id, name and description, and answers. */
void tc_catalog_run_wish(struct tc_call *call, tc_catalog_wish_fn grant, unsigned status);

/* What adds or removes a part of something. */
typedef int (*tc_catalog_part_fn)(struct tocsin_pool *work_pool, const char *whole,
				  const char *part, const char *actor, struct tocsin_error *error);
/* Does that to what these fields name, and answers. */
void tc_catalog_run_part(struct tc_call *call, tc_catalog_part_fn change, const char *whole_field,
			 const char *part_field);

#define TC_CATALOG_FIELD_LIMIT                                                                     \
	TC_FIELD_LIST_LIMIT(TC_CATALOG_LIST_MAX, "Most in the answer; 50 unless given")
#define TC_CATALOG_FIELD_DESCRIPTION                                                               \
	{                                                                                          \
		.name = "description", .type = TC_FIELD_STRING, .flags = TC_NULLABLE,              \
		.max = TC_CATALOG_DESCRIPTION_MAX, .description = "What it is"                     \
	}
#define TC_CATALOG_FIELD_END                                                                       \
	{                                                                                          \
		.type = TC_FIELD_END                                                               \
	}
