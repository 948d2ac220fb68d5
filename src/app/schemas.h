/* app/schemas.h: what answers look like, for OpenAPI (core/openapi.h): the names that rows use in `answers`. */
#pragma once

#include "core/openapi.h"

extern const struct tc_schema tc_schemas[]; /* ends with a NULL name */
