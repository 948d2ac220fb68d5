/* core/openapi/openapi_schema.c: fields and answers as JSON Schema, and what all operations share; see
 * openapi_schema.h. */
#include "core/openapi/openapi_schema.h"

#include "base/macro.h"
#include "core/procedure/cursor.h"
#include "core/procedure/idempotency.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

void tc_document_put(struct tc_document *document, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		document->failed = true;
}

void tc_document_append(struct tc_document *document, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		document->failed = true;
}

json_t *tc_document_ref(struct tc_document *document, const char *kind, const char *name)
{
	json_t *object = json_object();

	tc_document_put(document, object, "$ref", json_sprintf("#/components/%s/%s", kind, name));
	return object;
}

json_t *tc_document_schema(struct tc_document *document, const char *name)
{
	for (const struct tc_schema *schema = document->schemas; schema->name; schema++)
		if (strcmp(schema->name, name) == 0)
			return tc_document_ref(document, "schemas", name);
	snprintf(document->unknown, sizeof(document->unknown), "%s", name);
	return json_object();
}

json_t *tc_document_content(struct tc_document *document, const char *type, json_t *schema)
{
	json_t *content = json_object(), *media = json_object();

	tc_document_put(document, media, "schema", schema);
	tc_document_put(document, content, type, media);
	return content;
}

/* --- values --- */

static json_t *choices_array(struct tc_document *document, const char *const *choices,
			     bool has_null)
{
	json_t *list = json_array();

	for (; *choices; choices++)
		tc_document_append(document, list, json_string(*choices));
	if (has_null)
		tc_document_append(document, list, json_null());
	return list;
}

static const struct {
	const char *type, *format;
} types[] = {
	[TC_FIELD_STRING] = {"string", NULL},   [TC_FIELD_UUID] = {"string", "uuid"},
	[TC_FIELD_ENUM] = {"string", NULL},     [TC_FIELD_BOOLEAN] = {"boolean", NULL},
	[TC_FIELD_INTEGER] = {"integer", NULL}, [TC_FIELD_STRINGS] = {"array", NULL},
	[TC_FIELD_UUIDS] = {"array", NULL},     [TC_FIELD_TIMESTAMP] = {"string", "date-time"},
	[TC_FIELD_CURSOR] = {"string", NULL},   [TC_FIELD_OBJECTS] = {"array", NULL},
	[TC_FIELD_ANY] = {NULL, NULL},
};

static json_t *typed(struct tc_document *document, enum tc_field_type type, bool is_nullable)
{
	json_t *schema = json_object(), *list;

	if (!types[type].type)
		return schema;
	if (is_nullable) {
		list = json_array();
		tc_document_append(document, list, json_string(types[type].type));
		tc_document_append(document, list, json_string("null"));
		tc_document_put(document, schema, "type", list);
	} else {
		tc_document_put(document, schema, "type", json_string(types[type].type));
	}
	if (types[type].format)
		tc_document_put(document, schema, "format", json_string(types[type].format));
	return schema;
}

static void bound(struct tc_document *document, json_t *schema, const char *name, int64_t value,
		  bool is_set)
{
	if (is_set)
		tc_document_put(document, schema, name, json_integer(value));
}

json_t *tc_document_object(struct tc_document *document)
{
	json_t *schema = json_object();

	tc_document_put(document, schema, "type", json_string("object"));
	tc_document_put(document, schema, "additionalProperties", json_true());
	return schema;
}

const char *tc_document_null(const struct tc_field *field)
{
	return field->flags & TC_NULLABLE ? "; null for none" : "";
}

static void put_description(struct tc_document *document, json_t *schema,
			    const struct tc_field *field)
{
	tc_document_put(document, schema, "description",
			json_sprintf("%s%s", field->description, tc_document_null(field)));
}

json_t *tc_document_field(struct tc_document *document, const struct tc_field *field)
{
	bool is_nullable = field->flags & TC_NULLABLE, is_bounded = field->min || field->max;
	json_t *schema = typed(document, field->type, is_nullable), *item;

	switch (field->type) {
	case TC_FIELD_STRING:
		bound(document, schema, "minLength", field->min, field->min > 0);
		bound(document, schema, "maxLength", field->max, field->max > 0);
		if (field->pattern)
			tc_document_put(document, schema, "pattern", json_string(field->pattern));
		break;
	case TC_FIELD_CURSOR:
		bound(document, schema, "minLength", 1, true);
		bound(document, schema, "maxLength", TC_CURSOR_MAX, true);
		break;
	case TC_FIELD_ENUM:
		tc_document_put(document, schema, "enum",
				choices_array(document, field->choices, is_nullable));
		break;
	case TC_FIELD_INTEGER:
		bound(document, schema, "minimum", field->min, is_bounded);
		bound(document, schema, "maximum", field->max, is_bounded);
		break;
	case TC_FIELD_OBJECTS:
		tc_document_put(document, schema, "items", tc_document_object(document));
		bound(document, schema, "maxItems", field->max, field->max > 0);
		break;
	case TC_FIELD_STRINGS:
	case TC_FIELD_UUIDS:
		item = typed(document,
			     field->type == TC_FIELD_UUIDS ? TC_FIELD_UUID : TC_FIELD_STRING,
			     false);
		if (field->type == TC_FIELD_STRINGS && !(field->flags & TC_ANY_ITEMS)) {
			bound(document, item, "minLength", 1, true);
			bound(document, item, "maxLength", field->item_max, field->item_max > 0);
		}
		tc_document_put(document, schema, "items", item);
		bound(document, schema, "minItems", field->min, field->min > 0);
		bound(document, schema, "maxItems", field->max, field->max > 0);
		break;
	default:
		break;
	}
	if (field->place == TC_IN_BODY && field->description)
		put_description(document, schema, field);
	return schema;
}

/* --- answers --- */

static json_t *wrap(struct tc_document *document, const char *type, const char *member,
		    json_t *inner)
{
	json_t *schema = json_object();

	tc_document_put(document, schema, "type", json_string(type));
	tc_document_put(document, schema, member, inner);
	return schema;
}

static json_t *member_schema(struct tc_document *document, const struct tc_member *member)
{
	bool is_nullable = member->flags & TC_MEMBER_NULLABLE;
	json_t *schema = member->schema ? tc_document_schema(document, member->schema)
					: typed(document, member->type, is_nullable);

	if (!member->schema && member->choices)
		tc_document_put(document, schema, "enum",
				choices_array(document, member->choices, is_nullable));
	if (member->flags & TC_MEMBER_MANY)
		schema = wrap(document, "array", "items", schema);
	if (member->flags & TC_MEMBER_MAP)
		schema = wrap(document, "object", "additionalProperties", schema);
	if (member->description)
		tc_document_put(document, schema, "description", json_string(member->description));
	return schema;
}

static void put_members(struct tc_document *document, const struct tc_member *members,
			json_t *properties, json_t *required)
{
	for (const struct tc_member *member = members; member && member->name; member++) {
		tc_document_put(document, properties, member->name,
				member_schema(document, member));
		if (!(member->flags & TC_MEMBER_OPTIONAL))
			tc_document_append(document, required, json_string(member->name));
	}
}

static json_t *answer_schema(struct tc_document *document, const struct tc_schema *schema)
{
	json_t *object = json_object(), *properties, *required;

	tc_document_put(document, object, "type", json_string("object"));
	if (schema->description)
		tc_document_put(document, object, "description", json_string(schema->description));
	if (schema->map_of) {
		tc_document_put(document, object, "additionalProperties",
				tc_document_schema(document, schema->map_of));
		return object;
	}
	properties = json_object();
	required = json_array();
	put_members(document, schema->members, properties, required);
	put_members(document, schema->more, properties, required);
	tc_document_put(document, object, "properties", properties);
	tc_document_put(document, object, "required", required);
	return object;
}

/* --- what all operations share --- */

static const char shared[] =
	"{\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":"
	"\"tocsin_ID_SECRET\",\"description\":\"An API key\"},\"session\":{\"type\":\"apiKey\","
	"\"in\":\"cookie\",\"name\":\"tocsin_session\",\"description\":\"The cookie of logIn, over "
	"TLS with the prefix __Host-; any request but GET and HEAD also needs the csrfToken of "
	"logIn in the header X-Tocsin-CSRF\"}},\"responses\":{\"Problem\":{"
	"\"description\":\"What went wrong (RFC 9457)\",\"headers\":{\"Retry-After\":{"
	"\"description\":\"Seconds after which it may be tried again, with 409, 429 and 503\","
	"\"schema\":{\"type\":\"integer\"}}},\"content\":{\"application/problem+json\":{"
	"\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}},\"NotModified\":{"
	"\"description\":\"What If-None-Match names is still right\"}},\"headers\":{\"ETag\":{"
	"\"description\":\"Names these bytes, for If-None-Match\",\"schema\":{\"type\":"
	"\"string\"}}},\"parameters\":{\"IfNoneMatch\":{\"name\":\"If-None-Match\",\"in\":"
	"\"header\",\"required\":false,\"description\":\"An ETag: if nothing changed the answer is "
	"304\",\"schema\":{\"type\":\"string\"}},\"IdempotencyKey\":{\"name\":"
	"\"Idempotency-Key\",\"in\":\"header\",\"required\":false,\"description\":\"Visible "
	"ASCII. The same key and input again get the first answer again, with "
	"Idempotency-Replayed: true, for 24 hours; other input gets 422\",\"schema\":{\"type\":"
	"\"string\",\"minLength\":1,\"maxLength\":255}}}}";

static_assert(TC_IDEMPOTENCY_KEY_MAX == 255 && TC_IDEMPOTENCY_KEEP_S == 24 * 3600,
	      "what the document says");

json_t *tc_document_components(struct tc_document *document)
{
	json_t *components = json_loads(shared, 0, NULL), *schemas = json_object();

	for (const struct tc_schema *schema = document->schemas; schema->name; schema++)
		tc_document_put(document, schemas, schema->name, answer_schema(document, schema));
	tc_document_put(document, components, "schemas", schemas);
	return components;
}

const char *tc_document_place(enum tc_field_place place)
{
	static const char *const places[] = {[TC_IN_BODY] = "body",
					     [TC_IN_QUERY] = "query",
					     [TC_IN_PATH] = "path",
					     [TC_IN_HEADER] = "header"};
	_Static_assert(TC_ARRAY_LENGTH(places) == TC_IN_COUNT, "every place has a name");

	return places[place];
}
