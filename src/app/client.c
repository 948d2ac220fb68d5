/* app/client.c: see client.h. */
#include "app/client.h"

#include "base/buffer.h"
#include "base/memory.h"
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_URL       "http://127.0.0.1:3000"
#define CONNECT_TIMEOUT_S 10L
#define TIMEOUT_S         60L
#define SILENCE_S         60L /* a live stream says something every 15 s */
#define ANSWER_MAX        ((size_t)16 * 1024 * 1024)

TC_DEFINE_CLEANUP(CURL *, curl_easy_cleanup);
TC_DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all);
TC_DEFINE_CLEANUP(json_t *, json_decref);

static size_t receive(char *bytes, size_t size, size_t count, void *userdata)
{
	struct tc_buffer *answer = userdata;

	tc_buffer_append(answer, bytes, size * count);
	return answer->failed ? 0 : size * count; /* 0 makes curl give up: too long */
}

static int no_memory(struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
}

static int add_header(struct curl_slist **headers, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*headers, text);

	if (!longer)
		return TOCSIN_E_NOMEM;
	*headers = longer;
	return TOCSIN_OK;
}

static int add_headers(struct curl_slist **headers, bool has_body)
{
	const char *key = getenv("TOCSIN_KEY");
	TC_FREE char *authorization = NULL;
	int result = add_header(headers, "Accept: application/json");

	if (result == TOCSIN_OK && has_body)
		result = add_header(headers, "Content-Type: application/json");
	if (result == TOCSIN_OK && key && *key) {
		if (asprintf(&authorization, "Authorization: Bearer %s", key) < 0) {
			authorization = NULL;
			return TOCSIN_E_NOMEM;
		}
		result = add_header(headers, authorization);
	}
	return result;
}

/* A problem document says what was wrong, field by field. */
static int fail_with_problem(const struct tc_buffer *body, long http_status,
			     struct tocsin_error *error)
{
	TC_CLEANUP(json_decref)
	json_t *problem = body->data ? json_loadb(body->data, body->length, 0, NULL) : NULL;
	const char *title = json_string_value(json_object_get(problem, "title"));
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const json_t *first = json_array_get(json_object_get(problem, "errors"), 0);
	const char *pointer = json_string_value(json_object_get(first, "pointer"));
	const char *reason = json_string_value(json_object_get(first, "detail"));
	int code = http_status == 404 ? TOCSIN_E_NOT_FOUND : TOCSIN_E_INVALID;

	return tocsin_error_set(error, http_status >= 500 ? TOCSIN_E_UNAVAILABLE : code,
				"the server answered %ld %s%s%.200s%s%.80s%s%.100s", http_status,
				title ? title : "", detail ? ": " : "", detail ? detail : "",
				pointer ? "; " : "", pointer ? pointer : "", reason ? " " : "",
				reason ? reason : "");
}

static int perform(CURL *curl, const char *url, struct tc_buffer *answer,
		   struct tocsin_error *error)
{
	char reason[CURL_ERROR_SIZE] = "";
	long http_status = 0;
	CURLcode code;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "%.200s: %s", url,
					reason[0] ? reason : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
	if (http_status < 200 || http_status > 299)
		return fail_with_problem(answer, http_status, error);
	return TOCSIN_OK;
}

/* `base` without its last slashes, and the path; owned by the caller, NULL if memory ran out. */
static char *make_url(const char *base, const char *path)
{
	size_t length;
	char *url;

	base = base ? base : getenv("TOCSIN_URL");
	base = base && *base ? base : DEFAULT_URL;
	length = strlen(base);
	while (length > 0 && base[length - 1] == '/')
		length--;
	return asprintf(&url, "%.*s%s", (int)length, base, path) < 0 ? NULL : url;
}

int tc_client_run(const struct tc_client_request *request, json_t **ret_answer,
		  struct tocsin_error *error)
{
	TC_CLEANUP(curl_easy_cleanup) CURL *curl = curl_easy_init();
	TC_CLEANUP(curl_slist_free_all) struct curl_slist *headers = NULL;
	TC_FREE char *url = make_url(request->url, request->path), *body = NULL;
	TC_BUFFER answer = {.max = ANSWER_MAX};
	int result;

	if (!curl || !url)
		return no_memory(error);
	if (request->body) {
		body = json_dumps(request->body, JSON_COMPACT);
		if (!body)
			return no_memory(error);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	if (add_headers(&headers, body) != TOCSIN_OK)
		return no_memory(error);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	result = perform(curl, url, &answer, error);
	if (result != TOCSIN_OK)
		return result;
	if (answer.length == 0) { /* 204: done, and nothing to tell */
		*ret_answer = json_null();
		return TOCSIN_OK;
	}
	*ret_answer = json_loadb(answer.data, answer.length, 0, NULL);
	if (!*ret_answer)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"%.200s answered something that is not JSON", url);
	return TOCSIN_OK;
}

struct stream {
	CURL *curl;
	const struct tc_client_stream *request;
	struct tc_buffer problem; /* the answer, where it is no stream */
};

static size_t receive_stream(char *bytes, size_t size, size_t count, void *userdata)
{
	struct stream *stream = userdata;
	long http_status = 0;

	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &http_status);
	if (http_status != 200)
		return receive(bytes, size, count, &stream->problem);
	return stream->request->receive(bytes, size * count, stream->request->userdata)
		       ? size * count
		       : 0;
}

int tc_client_follow(const struct tc_client_stream *request, struct tocsin_error *error)
{
	TC_CLEANUP(curl_easy_cleanup) CURL *curl = curl_easy_init();
	TC_CLEANUP(curl_slist_free_all) struct curl_slist *headers = NULL;
	TC_FREE char *url = make_url(request->url, request->path), *last = NULL;
	struct stream stream = {curl, request, {.max = ANSWER_MAX}};
	int result;

	if (!curl || !url || add_headers(&headers, false) != TOCSIN_OK)
		return no_memory(error);
	if (*request->last_id) {
		if (asprintf(&last, "Last-Event-ID: %s", request->last_id) < 0) {
			last = NULL;
			return no_memory(error);
		}
		if (add_header(&headers, last) != TOCSIN_OK)
			return no_memory(error);
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive_stream);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &stream);
	result = perform(curl, url, &stream.problem, error);
	tc_buffer_deinit(&stream.problem);
	return result;
}

char *tc_client_escape(const char *text)
{
	static const char kept[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	struct tc_buffer escaped = {0};

	tc_buffer_append(&escaped, "", 0);
	for (; *text; text++) {
		if (strchr(kept, *text))
			tc_buffer_append(&escaped, text, 1);
		else
			tc_buffer_append_format(&escaped, "%%%02X", (unsigned char)*text);
	}
	return escaped.data ? tc_buffer_steal(&escaped) : strdup("");
}
