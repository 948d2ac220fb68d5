/* http/answer.c: see answer.h. The library counts the connections that send a response, we count those who
 * may still ask for it: the body goes when both are done with it. */
#include "http/answer.h"

#include "http/request.h"
#include <assert.h>
#include <stdlib.h>

struct tc_http_answer {
	atomic_uint refs;
	unsigned status;
	const char *body; /* the response's */
	size_t length;
	struct MHD_Response *response;
};

struct tc_http_answer *tc_http_answer_new(const struct tc_http_response *from)
{
	struct tc_http_answer *answer = calloc(1, sizeof(*answer));

	if (!answer) {
		free(from->body);
		return NULL;
	}
	atomic_init(&answer->refs, 1);
	answer->status = from->status;
	answer->body = from->body;
	answer->length = from->body_length;
	answer->response = tc_http_response_build(from);
	if (!answer->response) {
		free(answer);
		return NULL;
	}
	return answer;
}

struct tc_http_answer *tc_http_answer_ref(struct tc_http_answer *answer)
{
	atomic_fetch_add_explicit(&answer->refs, 1, memory_order_relaxed);
	return answer;
}

struct tc_http_answer *tc_http_answer_unref(struct tc_http_answer *answer)
{
	if (!answer || atomic_fetch_sub(&answer->refs, 1) != 1)
		return NULL;
	MHD_destroy_response(answer->response);
	free(answer);
	return NULL;
}

unsigned tc_http_answer_status(const struct tc_http_answer *answer)
{
	return answer->status;
}

size_t tc_http_answer_length(const struct tc_http_answer *answer)
{
	return answer->length;
}

static enum MHD_Result copy_header(void *userdata, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	(void)kind;
	return MHD_add_response_header(userdata, name, value);
}

/* What is shared cannot be told to close one connection: that takes a copy. */
static enum MHD_Result queue_last(struct tc_http_request *request,
				  const struct tc_http_answer *answer)
{
	/* The library copies, though its parameter is not const. */
	union {
		const char *borrowed;
		void *buffer;
	} body = {.borrowed = answer->body};
	struct MHD_Response *response =
		MHD_create_response_from_buffer(answer->length, body.buffer, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_get_response_headers(answer->response, copy_header, response);
	MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(request->connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result tc_http_answer_queue(struct tc_http_request *request, struct tc_http_answer *answer)
{
	enum MHD_Result result;

	if (atomic_load(&request->server->quiesced))
		result = queue_last(request, answer);
	else
		result = MHD_queue_response(request->connection, answer->status, answer->response);
	tc_http_answer_unref(answer);
	return result;
}

void tc_http_respond_shared(struct tc_http_request *request, struct tc_http_answer *answer)
{
	request->answer = tc_http_answer_ref(answer);
	tc_http_request_answer(request, answer->status, NULL, NULL);
}
