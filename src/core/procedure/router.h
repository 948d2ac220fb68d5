/* core/procedure/router.h: paths to rows. Private to core/procedure/.
 *
 * Routes are compiled once and sorted so that a literal segment comes before a parameter in its place:
 * the first route that fits a path is the most special one. Read-only afterwards, hence lock-free.
 *
 * A row with a group has further routes, its aliases: procedure.h. */
#pragma once

#include "core/procedure/procedure.h"

#define TC_ROUTE_SEGMENTS_MAX 8

struct tc_segment {
	const char *text; /* not terminated; points into the row's path or the request's */
	size_t length;
	const struct tc_field *field; /* of a parameter; NULL: literal */
};

struct tc_route {
	const struct tc_procedure *procedure;
	enum tc_method method;
	unsigned index; /* of the row, for metrics */
	unsigned body_places,
		query_places; /* TC_PLACE: which fields come in the body, which in the query */
	unsigned segments_count;
	struct tc_segment segments[TC_ROUTE_SEGMENTS_MAX];
};

struct tc_router {
	struct tc_router_options options; /* its tables are not kept */
	unsigned procedures_count, routes_count;
	struct tc_route routes[];
};

struct tc_route_match {
	const struct tc_route *route; /* NULL: no row for the path, or for the method */
	unsigned methods; /* bits 1 << enum tc_method of all rows for this path; 0: no such path */
	struct tc_segment
		segments[TC_ROUTE_SEGMENTS_MAX]; /* of the path; those of the route correspond */
};

/* `method` is HEAD, or one of enum tc_method's names. */
void tc_route_find(const struct tc_router *router, const char *method, const char *path,
		   struct tc_route_match *ret_match);

/* The value of the Allow header: "GET, HEAD, POST". */
#define TC_ALLOW_SIZE 48
void tc_route_allow(unsigned methods, char ret_text[static TC_ALLOW_SIZE]);
