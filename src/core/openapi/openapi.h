/* core/openapi/openapi.h: the table of procedures as a document: OpenAPI 3.1 for programs, a page for people. Made once, at
 * start-up; nothing is written by hand that a row says. No shared state, no I/O. */
#pragma once

#include "base/buffer.h"
#include "core/procedure/procedure.h"

enum {
	TC_MEMBER_OPTIONAL = 1u << 0, /* may be left out; nothing is null */
	TC_MEMBER_MANY = 1u << 1,     /* an array of it */
	TC_MEMBER_MAP =
		1u << 2, /* an object with any names, each with it (with MANY: an array of it) */
	TC_MEMBER_NULLABLE = 1u << 3
};

/* A member of an answer; of one `type`, or of a schema. */
struct tc_member {
	const char *name; /* NULL: the last */
	enum tc_field_type type;
	unsigned flags;
	const char *schema; /* by its name; then the type does not matter */
	const char *const *choices;
	const char *description;
};

/* What an answer looks like; rows name it in `answers`. */
struct tc_schema {
	const char *name; /* NULL: the last */
	const char *description;
	const struct tc_member *members;
	const struct tc_member *more; /* those that follow; NULL: none */
	/* Any name, each with this schema, instead of members; NULL: members. */
	const char *map_of;
};

struct tc_openapi_options {
	const struct tc_procedure *const *tables;
	size_t tables_count;
	const struct tc_schema *schemas;
	const char *version;
	uint32_t anonymous_rules; /* those that nobody needs a credential for */
};

/* JSON. INVALID: a row names a schema that there is not. */
int tc_openapi_format(const struct tc_openapi_options *options, struct tc_buffer *ret_json,
		      struct tocsin_error *error);
/* HTML, without scripts and without anything from elsewhere. */
int tc_openapi_format_page(const struct tc_openapi_options *options, struct tc_buffer *ret_html,
			   struct tocsin_error *error);
