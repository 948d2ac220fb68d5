/* core/openapi/openapi_schema.h: pieces of an OpenAPI document. Private to core/openapi/. */
#pragma once

#include "core/openapi/openapi.h"

struct tc_document {
	const struct tc_schema *schemas;
	bool failed;      /* memory ran out */
	char unknown[64]; /* a schema that was named, but is none; "": every one is known */
};

/* `value` is taken over, also where that fails; NULL counts as failed. */
void tc_document_put(struct tc_document *document, json_t *object, const char *name, json_t *value);
void tc_document_append(struct tc_document *document, json_t *array, json_t *value);

/* What follows returns new references. */
json_t *tc_document_ref(struct tc_document *document, const char *kind, const char *name);
json_t *tc_document_schema(struct tc_document *document, const char *name); /* a reference to it */
json_t *tc_document_content(struct tc_document *document, const char *type, json_t *schema);
json_t *tc_document_object(struct tc_document *document); /* with any members */
json_t *tc_document_field(struct tc_document *document, const struct tc_field *field);
json_t *tc_document_components(struct tc_document *document);

/* What people are told behind a field's description of null; "" where it is not allowed. */
const char *tc_document_null(const struct tc_field *field);
/* Where a field stands: "body", "query", "path", "header". */
const char *tc_document_place(enum tc_field_place place);
