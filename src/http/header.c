/* http/header.c: what is asked of a request's headers; see server.h. */
#include "http/request.h"

#include <strings.h>

const char *tc_http_request_header(const struct tc_http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct last {
	const char *name, *value;
};

static enum MHD_Result keep_last(void *userdata, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	struct last *last = userdata;

	(void)kind;
	if (strcasecmp(name, last->name) == 0)
		last->value = value;
	return MHD_YES;
}

const char *tc_http_request_last_header(const struct tc_http_request *request, const char *name)
{
	struct last last = {.name = name};

	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, keep_last, &last);
	return last.value;
}
