/* app/schemas.h: what answers look like, for OpenAPI (core/openapi/openapi.h): the names that rows use in `answers`. */
#pragma once

#include "core/openapi/openapi.h"

extern const struct tc_schema tc_schemas[]; /* ends with a NULL name */
