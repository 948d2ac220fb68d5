/* core/procedure/validate.h: one value against one field. Private to core/procedure/. */
#pragma once

#include "core/procedure/procedure.h"

#define TC_VALIDATE_POINTER_SIZE 128 /* what a problem's pointer holds */

/* A set of places. */
#define TC_PLACE(place) (1u << (place))
#define TC_PLACE_ANY    (TC_PLACE(TC_IN_BODY) | TC_PLACE(TC_IN_QUERY) | TC_PLACE(TC_IN_PATH))

/* The field of that name, in one of `places`; NULL if there is none. `fields` may be NULL. */
const struct tc_field *tc_validate_find(const struct tc_field *fields, const char *name,
					unsigned places);

/* The JSON pointer (RFC 6901) of a member of the body; a long name is cut. */
void tc_validate_pointer(const char *name, char ret_pointer[static TC_VALIDATE_POINTER_SIZE]);

/* Adds an input error, and makes the problem a 400 unless something worse was found. */
void tc_validate_add(struct tc_problem *problem, const char *pointer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds what is wrong with `value`. Makes UUIDs lower case in place. */
void tc_validate_value(const struct tc_field *field, json_t *value, const char *pointer,
		       struct tc_problem *problem);
