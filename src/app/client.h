/* app/client.h: one request to a server, for commands. Blocks, at most CLIENT_TIMEOUT_S. */
#pragma once

#include <jansson.h>
#include <tocsin/error.h>

struct tc_client_request {
	const char *url;    /* NULL: TOCSIN_URL, else http://127.0.0.1:3000 */
	const char *method; /* "GET", "POST" */
	const char *path;   /* "/api/v1/incidents?limit=5" */
	const json_t *body; /* NULL: none */
};

/* On success the caller owns *ret_answer. An answer that is no success becomes an error with the words of
 * its problem document; NOT_FOUND for 404. The key comes from TOCSIN_KEY. */
int tc_client_run(const struct tc_client_request *request, json_t **ret_answer,
		  struct tocsin_error *error);

/* `text` with everything but letters, digits and -._~ percent-encoded; owned by the caller. */
char *tc_client_escape(const char *text);
