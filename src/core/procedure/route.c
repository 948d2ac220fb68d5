/* core/procedure/route.c: compiling the table of procedures into routes, and finding one; see router.h. */
#include "core/procedure/router.h"

#include "core/metrics.h"
#include "core/procedure/validate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const tc_method_names[] = {
	[TC_GET] = "GET", [TC_POST] = "POST",     [TC_PATCH] = "PATCH",
	[TC_PUT] = "PUT", [TC_DELETE] = "DELETE",
};

/* Splits at each '/'. 0 where the path does not begin with one or has too many segments. */
static unsigned split(const char *path, struct tc_segment segments[static TC_ROUTE_SEGMENTS_MAX])
{
	unsigned count = 0;

	while (*path == '/') {
		if (count == TC_ROUTE_SEGMENTS_MAX)
			return 0;
		segments[count].text = ++path;
		segments[count].length = strcspn(path, "/");
		segments[count].field = NULL;
		path += segments[count++].length;
	}
	return *path ? 0 : count;
}

static int compile_segment(const struct tc_procedure *procedure, struct tc_segment *segment,
			   struct tocsin_error *error)
{
	char name[64];

	if (segment->length < 2 || segment->text[0] != '{' ||
	    segment->text[segment->length - 1] != '}')
		return TOCSIN_OK;
	snprintf(name, sizeof(name), "%.*s", (int)segment->length - 2, segment->text + 1);
	segment->field = tc_validate_find(procedure->fields, name, TC_PLACE(TC_IN_PATH));
	if (segment->field)
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_INVALID,
				"procedure %s: path parameter %s has no field", procedure->name,
				name);
}

/* What the router needs to be true of a row's fields. */
static int check_fields(const struct tc_procedure *procedure, unsigned path_parameters,
			struct tocsin_error *error)
{
	unsigned in_path = 0;

	for (const struct tc_field *field = procedure->fields; field && field->type; field++) {
		in_path += field->place == TC_IN_PATH;
		if (field->type == TC_FIELD_ENUM && !field->choices)
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"procedure %s: field %s has no choices",
						procedure->name, field->name);
		if (tc_validate_find(procedure->fields, field->name,
				     TC_PLACE_ANY | TC_PLACE(TC_IN_HEADER)) != field)
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"procedure %s: two fields are called %s",
						procedure->name, field->name);
	}
	if (procedure->about_thing &&
	    !tc_validate_find(procedure->fields, procedure->about_thing, TC_PLACE_ANY))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"procedure %s: no field names what it is about",
					procedure->name);
	if (path_parameters != in_path)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"procedure %s: a path field is not in the path",
					procedure->name);
	return TOCSIN_OK;
}

static int check_read(const struct tc_procedure *procedure, struct tocsin_error *error)
{
	if (!procedure->read || (procedure->method == TC_GET && procedure->run_on == TC_RUN_WORK))
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_INVALID,
				"procedure %s: a read is a GET, on the work executor",
				procedure->name);
}

static int compile(struct tc_route *route, const struct tc_procedure *procedure, unsigned index,
		   struct tocsin_error *error)
{
	unsigned parameters = 0;
	int result = TOCSIN_OK;

	route->procedure = procedure;
	route->method = procedure->method;
	route->index = index;
	route->body_places = TC_PLACE(TC_IN_BODY);
	route->query_places = TC_PLACE(TC_IN_QUERY);
	route->segments_count = split(procedure->path, route->segments);
	if (route->segments_count == 0 || !procedure->run == !procedure->read)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"procedure %s: bad path, or not one handler",
					procedure->name);
	for (unsigned i = 0; i < route->segments_count && result == TOCSIN_OK; i++) {
		result = compile_segment(procedure, &route->segments[i], error);
		parameters += route->segments[i].field != NULL;
	}
	return result ? result : check_fields(procedure, parameters, error);
}

/* As GET all input is in the query, as POST in the body. */
static void compile_alias(struct tc_route *route, const struct tc_procedure *procedure,
			  enum tc_method method, unsigned index)
{
	static const char root[] = "rest";

	*route = (struct tc_route){
		.procedure = procedure,
		.method = method,
		.index = index,
		.body_places = method == TC_GET ? TC_PLACE(TC_IN_BODY) : TC_PLACE_ANY,
		.query_places = method == TC_GET ? TC_PLACE_ANY & ~TC_PLACE(TC_IN_BODY) : 0,
		.segments_count = 3,
		.segments = {{.text = root, .length = strlen(root)},
			     {.text = procedure->group, .length = strlen(procedure->group)},
			     {.text = procedure->name, .length = strlen(procedure->name)}},
	};
}

static int compare_segments(const struct tc_segment *a, const struct tc_segment *b)
{
	int order;

	if (!a->field != !b->field)
		return a->field ? 1 : -1; /* literals first */
	if (a->field)
		return 0;
	order = memcmp(a->text, b->text, TC_MIN(a->length, b->length));
	return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_routes(const void *left, const void *right)
{
	const struct tc_route *a = left, *b = right;
	int order =
		(a->segments_count > b->segments_count) - (a->segments_count < b->segments_count);

	for (unsigned i = 0; order == 0 && i < a->segments_count; i++)
		order = compare_segments(&a->segments[i], &b->segments[i]);
	if (order == 0)
		order = (a->method > b->method) - (a->method < b->method);
	return order;
}

static int check_duplicates(const struct tc_router *router, struct tocsin_error *error)
{
	for (unsigned i = 1; i < router->routes_count; i++)
		if (compare_routes(&router->routes[i - 1], &router->routes[i]) == 0)
			return tocsin_error_set(
				error, TOCSIN_E_INVALID,
				"procedures %s and %s have the same method and path",
				router->routes[i - 1].procedure->name,
				router->routes[i].procedure->name);
	return TOCSIN_OK;
}

static int name_procedures(const struct tc_router *router, struct tocsin_error *error)
{
	const char **names = calloc(router->procedures_count + 1, sizeof(*names));

	if (!names)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	for (unsigned i = 0; i < router->routes_count; i++)
		names[router->routes[i].index] = router->routes[i].procedure->name;
	tc_metrics_set_procedures(names, router->procedures_count);
	free(names);
	return TOCSIN_OK;
}

/* Own route, alias as POST, and of a GET row also as GET. */
#define ROUTES_PER_ROW 3

static unsigned count_rows(const struct tc_router_options *options)
{
	unsigned count = 0;

	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name; row++)
			count++;
	return count;
}

static int add_row(struct tc_router *router, const struct tc_procedure *row,
		   struct tocsin_error *error)
{
	unsigned index = router->procedures_count++;
	int result = compile(&router->routes[router->routes_count++], row, index, error);

	if (result == TOCSIN_OK)
		result = check_read(row, error);
	if (result || !row->group)
		return result;
	compile_alias(&router->routes[router->routes_count++], row, TC_POST, index);
	if (row->method == TC_GET)
		compile_alias(&router->routes[router->routes_count++], row, TC_GET, index);
	return TOCSIN_OK;
}

int tc_router_new(struct tc_router **ret_router, const struct tc_router_options *options,
		  struct tocsin_error *error)
{
	unsigned rows = count_rows(options);
	struct tc_router *router;
	int result = TOCSIN_OK;

	if (!options->authenticate || !options->work)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"the router needs authentication and a work executor");
	router = calloc(1, sizeof(*router) +
				   (size_t)rows * ROUTES_PER_ROW * sizeof(router->routes[0]));
	if (!router)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	router->options = *options;
	router->options.tables = NULL;
	for (size_t i = 0; i < options->tables_count; i++)
		for (const struct tc_procedure *row = options->tables[i]; row->name && !result;
		     row++)
			result = add_row(router, row, error);
	if (result == TOCSIN_OK) {
		qsort(router->routes, router->routes_count, sizeof(router->routes[0]),
		      compare_routes);
		result = check_duplicates(router, error);
	}
	if (result == TOCSIN_OK)
		result = name_procedures(router, error);
	if (result) {
		tc_router_free(router);
		return result;
	}
	*ret_router = router;
	return TOCSIN_OK;
}

struct tc_router *tc_router_free(struct tc_router *router)
{
	free(router);
	return NULL;
}

/* A parameter takes any text but none. Compared from the end: that is where paths differ. */
static bool fits(const struct tc_route *route, const struct tc_segment *segments)
{
	for (unsigned i = route->segments_count; i-- > 0;) {
		const struct tc_segment *wanted = &route->segments[i], *got = &segments[i];

		if (wanted->field ? got->length == 0
				  : got->length != wanted->length ||
					    memcmp(got->text, wanted->text, got->length) != 0)
			return false;
	}
	return true;
}

/* HEAD is GET; -1 for what no row can have. */
static int find_method(const char *name)
{
	if (strcmp(name, "HEAD") == 0)
		return TC_GET;
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(tc_method_names); i++)
		if (strcmp(name, tc_method_names[i]) == 0)
			return (int)i;
	return -1;
}

void tc_route_find(const struct tc_router *router, const char *method, const char *path,
		   struct tc_route_match *ret_match)
{
	unsigned count = split(path, ret_match->segments);
	int wanted = find_method(method);

	ret_match->route = NULL;
	ret_match->methods = 0;
	for (unsigned i = 0; i < router->routes_count && !ret_match->route; i++) {
		const struct tc_route *route = &router->routes[i];

		if (route->segments_count != count || !fits(route, ret_match->segments))
			continue;
		ret_match->methods |= 1u << route->method;
		if (wanted == (int)route->method)
			ret_match->route = route;
	}
}

void tc_route_allow(unsigned methods, char ret_text[static TC_ALLOW_SIZE])
{
	size_t length = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < TC_ARRAY_LENGTH(tc_method_names) && length < TC_ALLOW_SIZE; i++)
		if (methods & 1u << i)
			length += (size_t)snprintf(ret_text + length, TC_ALLOW_SIZE - length,
						   "%s%s%s", length > 0 ? ", " : "",
						   tc_method_names[i], i == TC_GET ? ", HEAD" : "");
}
