/* app/cli/client.h: one request to a server, for commands. Blocks, at most CLIENT_TIMEOUT_S. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <tocsin/error.h>

struct tc_client_request {
	const char *url;    /* NULL: TOCSIN_URL, else http://127.0.0.1:3000 */
	const char *method; /* "GET", "POST", "PATCH", "PUT", "DELETE" */
	const char *path;   /* "/api/v1/incidents?limit=5" */
	const json_t *body; /* NULL: none */
	bool takes_text;    /* an answer of text is no mistake, and becomes a JSON string */
};

/* On success the caller owns *ret_answer, null for an answer without a body. An answer that is no success becomes
 * an error with the words of its problem document; NOT_FOUND for 404. INVALID also for a URL that is none, or a key
 * that cannot be one. The key comes from TOCSIN_KEY. */
int tc_client_run(const struct tc_client_request *request, json_t **ret_answer,
		  struct tocsin_error *error);

struct tc_client_stream {
	const char *url, *path; /* as above */
	const char *last_id;    /* "": begin now */
	/* Called with what comes, on the caller's thread; false ends the stream. */
	bool (*receive)(const char *bytes, size_t length, void *userdata);
	void *userdata;
};

/* Follows a stream until the server, the network or `receive` ends it: OK, UNAVAILABLE, or what the server
 * refused it with. Blocks as long. */
int tc_client_follow(const struct tc_client_stream *request, struct tocsin_error *error);

/* `text` with everything but letters, digits and -._~ percent-encoded; owned by the caller. */
char *tc_client_escape(const char *text);
