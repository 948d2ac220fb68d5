/* base/macro.h: small things C lacks: array length, minimum and maximum, plurals, cleanup attributes.
 *
 * A type that owns something declares its cleanup beside itself:
 *     TC_DEFINE_CLEANUP(struct tc_thing *, tc_thing_free)
 * and a variable uses it as
 *     TC_CLEANUP(tc_thing_free) struct tc_thing *thing = NULL;
 * The cleanup takes ownership back at the end of the scope; hand over with tc_take(thing). */
#pragma once

#include <stddef.h>

#define TC_ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TC_MIN(a, b)           ((a) < (b) ? (a) : (b))
#define TC_MAX(a, b)           ((a) > (b) ? (a) : (b))

/* The end of the word for what there are `count` of: "1 node", "2 nodes". */
#define TC_PLURAL(count) ((count) == 1 ? "" : "s")

/* Defines `function`_cleanup for a pointer type whose free function accepts NULL. */
#define TC_DEFINE_CLEANUP(type, function)                                                          \
	static inline void function##_cleanup(type *pointer)                                       \
	{                                                                                          \
		if (*pointer)                                                                      \
			function(*pointer);                                                        \
	}                                                                                          \
	struct tc_require_semicolon

#define TC_CLEANUP(function) __attribute__((cleanup(function##_cleanup)))

/* Moves a pointer out of a variable, leaving NULL behind. */
#define tc_take(variable)                                                                          \
	__extension__({                                                                            \
		__typeof__(variable) tc_taken = (variable);                                        \
		(variable) = NULL;                                                                 \
		tc_taken;                                                                          \
	})

#define tc_container_of(pointer, type, member)                                                     \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
