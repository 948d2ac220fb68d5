/* http/request.c: the life of one request; see request.h for the model. */
#include "http/request.h"

#include "base/memory.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "http/answer.h"
#include "http/head.h"
#include "http/problem.h"
#include "http/url.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A body that is too large is read and thrown away up to this many bytes beyond the bound, because a
 * client that is still sending when the connection closes may never see the answer. */
#define DISCARD_MAX ((uint64_t)8 * 1024 * 1024)

static void destroy(struct tc_http_request *request)
{
	if (request->response)
		MHD_destroy_response(request->response);
	tc_http_answer_unref(request->answer);
	if (request->stream)
		tc_http_stream_detach(request->stream);
	tc_buffer_deinit(&request->body);
	free(request->scratch);
	free(request);
}

/* --- answers --- */

struct MHD_Response *tc_http_response_build(const struct tc_http_response *from)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		from->body_length, from->body, MHD_RESPMEM_MUST_FREE);
	bool ok;

	if (!response) {
		free(from->body);
		return NULL;
	}
	ok = !from->content_type ||
	     MHD_add_response_header(response, "Content-Type", from->content_type) == MHD_YES;
	for (size_t i = 0; ok && i < from->headers_count; i++)
		ok = MHD_add_response_header(response, from->headers[i].name,
					     from->headers[i].value) == MHD_YES;
	if (ok)
		return response;
	MHD_destroy_response(response);
	return NULL;
}

static void set_problem(struct tc_http_request *request, unsigned status)
{
	struct tc_problem problem = {.status = status};
	TC_BUFFER body = {0};
	struct tc_http_response response = {.status = status,
					    .content_type = "application/problem+json"};

	if (request->flaw)
		snprintf(problem.detail, sizeof(problem.detail), "%s", request->flaw);
	else if (status == 413)
		snprintf(problem.detail, sizeof(problem.detail),
			 "The body is larger than %zu bytes", request->server->options.max_body);
	else if (status == 400)
		snprintf(problem.detail, sizeof(problem.detail),
			 "The URL is not UTF-8 when decoded");
	else
		snprintf(problem.detail, sizeof(problem.detail), "Out of memory; try again");
	tc_problem_format(&problem, &body);
	response.body_length = body.length;
	response.body = tc_buffer_steal(&body);
	request->status = status;
	request->response = response.body ? tc_http_response_build(&response) : NULL;
}

/* On the connection's thread. Without a response (no memory for one) the connection closes. */
static enum MHD_Result queue_response(struct tc_http_request *request)
{
	struct MHD_Response *response = tc_take(request->response);
	enum MHD_Result result;

	if (request->answer)
		return tc_http_answer_queue(request, tc_take(request->answer));
	if (!response)
		return MHD_NO;
	if (atomic_load(&request->server->quiesced) || request->flaw)
		MHD_add_response_header(response, "Connection", "close");
	if (request->stream)
		tc_http_stream_attach(request->stream, &request->server->streams,
				      request->connection);
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response); /* the connection has a reference of its own */
	return result;
}

/* --- reading --- */

/* Decodes into the scratch memory at `offset`; plain text is only checked. */
static bool check_text(struct tc_http_request *request, const char *text)
{
	size_t length = strlen(text), decoded;

	if (!strchr(text, '%'))
		return tc_utf8_is_valid(text, length);
	memcpy(request->scratch, text, length);
	return tc_url_decode(request->scratch, length, &decoded);
}

static enum MHD_Result measure_argument(void *userdata, enum MHD_ValueKind kind, const char *name,
					const char *value)
{
	struct tc_http_request *request = userdata;
	size_t size = strlen(name) + (value ? strlen(value) : 0) + 2;

	(void)kind;
	if (strchr(name, '%') || (value && strchr(value, '%')))
		request->scratch_size = TC_MAX(request->scratch_size, size);
	return MHD_YES;
}

static enum MHD_Result check_argument(void *userdata, enum MHD_ValueKind kind, const char *name,
				      const char *value)
{
	struct tc_http_request *request = userdata;

	(void)kind;
	if (check_text(request, name) && (!value || check_text(request, value)))
		return MHD_YES;
	request->refusal = 400;
	return MHD_NO;
}

/* Refuses a URL that is not UTF-8 once decoded; false when memory ran out. */
static bool check_url(struct tc_http_request *request)
{
	if (strchr(request->path, '%'))
		request->scratch_size = strlen(request->path) + 1;
	MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, measure_argument,
				  request);
	if (request->scratch_size > 0) {
		request->scratch = malloc(request->scratch_size);
		if (!request->scratch)
			return false;
	}
	if (!check_text(request, request->path))
		request->refusal = 400;
	else
		MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND,
					  check_argument, request);
	return true;
}

/* A refused request can be answered before its body only where the client waits for leave to send
 * it, where there is too much to throw away, or where nobody knows how much it is. */
static bool is_refused_early(struct tc_http_request *request)
{
	const char *text = tc_http_request_header(request, "Content-Length");
	uint64_t length = text ? strtoull(text, NULL, 10) : 0,
		 max = request->server->options.max_body;
	unsigned status = tc_http_head_check(request->connection, &request->flaw);

	if (status) {
		request->refusal = status;
		return true;
	}
	if (length <= max)
		return false;
	request->refusal = 413;
	return length - max > DISCARD_MAX || tc_http_request_header(request, "Expect");
}

static enum MHD_Result begin(struct tc_http_server *server, struct MHD_Connection *connection,
			     const char *url, const char *method, void **context)
{
	struct tc_http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return MHD_NO;
	request->server = server;
	request->connection = connection;
	request->method = method;
	request->path = tc_url_path(url);
	request->body.max = server->options.max_body;
	atomic_init(&request->state, TC_HTTP_READING);
	*context = request; /* tc_http_on_completed takes it back */
	tc_mutex_lock(&server->mutex);
	tc_list_push_back(&server->requests, &request->node);
	server->in_flight++;
	tc_mutex_unlock(&server->mutex);
	if (!check_url(request))
		return MHD_NO;
	if (!is_refused_early(request))
		return MHD_YES;
	set_problem(request, request->refusal);
	return queue_response(request);
}

static enum MHD_Result receive(struct tc_http_request *request, const char *bytes, size_t size)
{
	if (!request->refusal) {
		bool fits = size <= request->body.max - request->body.length;

		tc_buffer_append(&request->body, bytes, size);
		if (!request->body.failed)
			return MHD_YES;
		request->refusal = fits ? 503 : 413;
		tc_buffer_deinit(&request->body);
		return MHD_YES;
	}
	request->discarded += size;
	/* The library cannot answer in the middle of a body: who sends without end is cut off. */
	return request->discarded <= request->server->options.max_body + DISCARD_MAX ? MHD_YES
										     : MHD_NO;
}

/* --- handing over and back --- */

static void hand_back(struct tc_http_server *server)
{
	TC_LOCKED(&server->mutex);

	if (--server->handed_over == 0)
		pthread_cond_broadcast(&server->changed);
}

bool tc_http_request_mark_abandoned(struct tc_http_request *request)
{
	enum tc_http_state expected = TC_HTTP_SUSPENDED;

	return atomic_compare_exchange_strong(&request->state, &expected, TC_HTTP_ABANDONED);
}

static enum MHD_Result hand_over(struct tc_http_request *request)
{
	struct tc_http_server *server = request->server;
	enum tc_http_state expected = TC_HTTP_HANDLING;

	tc_mutex_lock(&server->mutex);
	server->handed_over++;
	tc_mutex_unlock(&server->mutex);
	atomic_store(&request->state, TC_HTTP_HANDLING);
	server->options.handler(request, server->options.userdata);
	if (atomic_load(&request->state) == TC_HTTP_ANSWERED)
		return queue_response(request);
	MHD_suspend_connection(request->connection);
	if (!atomic_compare_exchange_strong(&request->state, &expected, TC_HTTP_SUSPENDED))
		MHD_resume_connection(request->connection); /* answered in between */
	else if (atomic_load(&server->abandoning) && tc_http_request_mark_abandoned(request))
		tc_http_request_wake(request);
	return MHD_YES;
}

/* On the connection's thread. */
static void leave_lane(struct tc_http_request *request)
{
	if (!request->is_in_lane)
		return;
	request->is_in_lane = false;
	tc_http_lane_leave(&request->server->lane);
}

enum MHD_Result tc_http_on_access(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct tc_http_server *server = cls;
	struct tc_http_request *request = *context;
	size_t size = *upload_size;

	(void)version;
	if (!request)
		return begin(server, connection, url, method, context);
	if (size > 0) {
		*upload_size = 0;
		return receive(request, upload, size);
	}
	switch (atomic_load(&request->state)) {
	case TC_HTTP_READING:
		if (!request->refusal)
			return hand_over(request);
		set_problem(request, request->refusal);
		return queue_response(request);
	case TC_HTTP_ANSWERED:
		leave_lane(request);
		return queue_response(request);
	default:
		return MHD_NO; /* abandoned */
	}
}

void tc_http_on_completed(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_RequestTerminationCode why)
{
	struct tc_http_server *server = cls;
	struct tc_http_request *request = tc_take(*context);

	(void)connection;
	(void)why;
	if (!request)
		return;
	leave_lane(request); /* woken, but its client went away before it looked */
	tc_mutex_lock(&server->mutex);
	tc_list_remove(&request->node);
	if (--server->in_flight == 0)
		pthread_cond_broadcast(&server->changed);
	tc_mutex_unlock(&server->mutex);
	if (atomic_exchange(&request->state, TC_HTTP_DETACHED) != TC_HTTP_ABANDONED)
		destroy(request);
}

void tc_http_respond(struct tc_http_request *request, const struct tc_http_response *response)
{
	tc_http_request_answer(request, response->status, tc_http_response_build(response), NULL);
}

void tc_http_request_wake(struct tc_http_request *request)
{
	struct tc_http_server *server = request->server;

	MHD_resume_connection(request->connection);
	hand_back(server);
}

void tc_http_request_go_behind(struct tc_http_request *request)
{
	request->is_behind = true;
}

void tc_http_request_answer(struct tc_http_request *request, unsigned status,
			    struct MHD_Response *response, struct tc_http_stream *stream)
{
	struct tc_http_server *server = request->server;
	bool is_behind = request->is_behind;

	request->status = status;
	request->response = response;
	request->stream = stream;
	/* From here on the request may be freed at any moment, unless the state says it is ours; and so may the server,
	 * unless the request was handed over to us. */
	switch (atomic_exchange(&request->state, TC_HTTP_ANSWERED)) {
	case TC_HTTP_SUSPENDED:
		server->behind += is_behind;
		if (is_behind)
			tc_http_lane_enter(&server->lane, request);
		else
			tc_http_request_wake(request);
		break;
	case TC_HTTP_HANDLING:
		server->behind += is_behind;
		hand_back(server);
		break;
	case TC_HTTP_ABANDONED:
		break;
	case TC_HTTP_DETACHED:
		destroy(request);
		break;
	default:
		abort(); /* answered twice: a programming error */
	}
}

/* --- what handlers ask --- */

const char *tc_http_request_method(const struct tc_http_request *request)
{
	return request->method;
}

const char *tc_http_request_path(const struct tc_http_request *request)
{
	return request->path;
}

void tc_http_request_address(const struct tc_http_request *request,
			     char ret_text[static TC_HTTP_ADDRESS_SIZE])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;
	const void *bytes = NULL;
	int family = address ? address->sa_family : AF_UNSPEC;

	static_assert(TC_HTTP_ADDRESS_SIZE >= INET6_ADDRSTRLEN, "every address fits");
	if (family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)bytes)) {
		family = AF_INET;
		bytes = (const unsigned char *)bytes + 12;
	}
	if (!bytes || !inet_ntop(family, bytes, ret_text, TC_HTTP_ADDRESS_SIZE))
		ret_text[0] = '\0';
}

struct query {
	const struct tc_http_request *request;
	bool (*each)(const char *name, const char *value, void *userdata);
	void *userdata;
};

/* Decoding cannot fail here: check_url has tried it. */
static const char *decode_at(const struct tc_http_request *request, size_t offset, const char *text)
{
	size_t length = strlen(text), decoded;
	char *copy;

	if (!strchr(text, '%'))
		return text;
	copy = request->scratch + offset;
	memcpy(copy, text, length);
	return tc_url_decode(copy, length, &decoded) ? copy : "";
}

static enum MHD_Result pass_argument(void *userdata, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	const struct query *query = userdata;
	const char *decoded_name = decode_at(query->request, 0, name);
	const char *decoded_value = value ? decode_at(query->request, strlen(name) + 1, value) : "";

	(void)kind;
	if (!*name && !value) /* nothing between two "&" */
		return MHD_YES;
	return query->each(decoded_name, decoded_value, query->userdata) ? MHD_YES : MHD_NO;
}

void tc_http_request_query(const struct tc_http_request *request,
			   bool (*each)(const char *name, const char *value, void *userdata),
			   void *userdata)
{
	struct query query = {request, each, userdata};

	MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, pass_argument,
				  &query);
}

const char *tc_http_request_body(const struct tc_http_request *request, size_t *ret_length)
{
	*ret_length = request->body.length;
	return request->body.data ? request->body.data : "";
}
