/* fuzz_fields.h: a table with a field of every type, for the fuzz targets. */
#pragma once

#include "core/procedure/procedure.h"

static const char *const fuzz_choices[] = {"minor", "major", "critical", NULL};

static const struct tc_field fuzz_fields[] = {
	{.name = "title", .type = TC_FIELD_STRING, .flags = TC_REQUIRED, .min = 1, .max = 5},
	{.name = "note", .type = TC_FIELD_STRING, .flags = TC_NULLABLE},
	{.name = "owner", .type = TC_FIELD_UUID},
	{.name = "severity", .type = TC_FIELD_ENUM, .choices = fuzz_choices},
	{.name = "quiet", .type = TC_FIELD_BOOLEAN},
	{.name = "count", .type = TC_FIELD_INTEGER, .min = 1, .max = 500},
	{.name = "systems", .type = TC_FIELD_STRINGS, .min = 1, .max = 3, .item_max = 4},
	{.name = "ids", .type = TC_FIELD_UUIDS, .max = 2},
	{.name = "words", .type = TC_FIELD_STRINGS, .flags = TC_ANY_ITEMS, .max = 3},
	{.name = "things", .type = TC_FIELD_OBJECTS, .max = 2},
	{.name = "at", .type = TC_FIELD_TIMESTAMP},
	{.name = "extra", .type = TC_FIELD_ANY},
	{.name = "limit", .type = TC_FIELD_INTEGER, .place = TC_IN_QUERY, .min = 1, .max = 500},
	{.name = "all", .type = TC_FIELD_BOOLEAN, .place = TC_IN_QUERY},
	{.name = "status", .type = TC_FIELD_ENUM, .place = TC_IN_QUERY, .choices = fuzz_choices},
	{.name = "tags", .type = TC_FIELD_STRINGS, .place = TC_IN_QUERY, .max = 2, .item_max = 3},
	{.name = "id", .type = TC_FIELD_UUID, .place = TC_IN_PATH},
	{0},
};

static const struct tc_procedure fuzz_procedure = {.name = "fuzz", .fields = fuzz_fields};
