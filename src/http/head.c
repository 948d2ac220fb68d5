/* http/head.c: see head.h. */
#include "http/head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What the library keeps of each header, cookie and parameter beside its text; and the most that an answer's headers take.
 * Without room for these it closes the connection without a word, though the request was carried out. */
#define RECORD_SIZE    ((size_t)64)
#define ANSWER_RESERVE ((size_t)768)

struct head {
	unsigned records;
	size_t copies; /* bytes of values that the library keeps once more */
	unsigned lengths;
	const char *flaw;
};

static enum MHD_Result count(void *userdata, enum MHD_ValueKind kind, const char *name,
			     const char *value)
{
	struct head *head = userdata;

	(void)kind;
	(void)name;
	(void)value;
	head->records++;
	return MHD_YES;
}

/* The library takes "Content-Length : 5" for another header, and appends a line that is folded to the name of the
 * one before it. */
static enum MHD_Result check_header(void *userdata, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	static const char length[] = "Content-Length", coding[] = "Transfer-Encoding";
	struct head *head = userdata;
	bool is_length = strncasecmp(name, length, strlen(length)) == 0;
	bool is_coding = strncasecmp(name, coding, strlen(coding)) == 0;
	size_t end = is_length ? strlen(length) : is_coding ? strlen(coding) : strlen(name);

	head->lengths += is_length || is_coding;
	if (strcasecmp(name, "Cookie") == 0)
		head->copies += strlen(value) + 1;
	if (name[end] || strpbrk(name, " \t"))
		head->flaw = "The name, colon and value of a header must be on one line, and no "
			     "space before the colon";
	else if (is_coding && (!value || strcasecmp(value, "chunked") != 0))
		head->flaw = "Transfer-Encoding must be chunked, and nothing else";
	return count(userdata, kind, name, value);
}

static bool is_too_large(struct MHD_Connection *connection, const struct head *head)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	size_t size = (info ? info->header_size : 0) + head->copies;

	return size + head->records * RECORD_SIZE > TC_HTTP_CONNECTION_MEMORY - ANSWER_RESERVE;
}

/* A proxy may see another end of the request than the library, and take its rest for another one's request: request
 * smuggling (RFC 9112, section 11.2). */
unsigned tc_http_head_check(struct MHD_Connection *connection, const char **ret_flaw)
{
	struct head head = {0};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, check_header, &head);
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, count, &head);
	MHD_get_connection_values(connection, MHD_COOKIE_KIND, count, &head);
	if (!head.flaw && head.lengths > 1)
		head.flaw = "The length of the body must be said once: one Content-Length, or "
			    "Transfer-Encoding";
	*ret_flaw = head.flaw;
	if (head.flaw)
		return 400;
	if (!is_too_large(connection, &head))
		return 0;
	*ret_flaw = "The URL and headers are too large";
	return 431;
}
