/* app/cli/client.c: see client.h. */
#include "app/cli/client.h"

#include "base/buffer.h"
#include "base/memory.h"
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_URL       "http://127.0.0.1:3000"
#define CONNECT_TIMEOUT_S 10L
#define TIMEOUT_S         60L
#define SILENCE_S         60L /* a live stream says something every 15 s */
#define ANSWER_MAX        ((size_t)16 * 1024 * 1024)

TC_DEFINE_CLEANUP(CURL *, curl_easy_cleanup);
TC_DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all);
TC_DEFINE_CLEANUP(CURLU *, curl_url_cleanup);
TC_DEFINE_CLEANUP(char *, curl_free);
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

static int add_header(struct curl_slist **headers, const char *text, struct tocsin_error *error)
{
	struct curl_slist *longer = curl_slist_append(*headers, text);

	if (!longer)
		return no_memory(error);
	*headers = longer;
	return TOCSIN_OK;
}

/* Visible ASCII: a line end of a file from elsewhere would end the header, and begin another. */
static bool is_key(const char *text)
{
	while (*text > ' ' && *text < 0x7F)
		text++;
	return *text == '\0';
}

static int add_headers(struct curl_slist **headers, bool has_body, struct tocsin_error *error)
{
	const char *key = getenv("TOCSIN_KEY");
	TC_FREE char *authorization = NULL;
	int result = add_header(headers, "Accept: application/json", error);

	if (result == TOCSIN_OK && has_body)
		result = add_header(headers, "Content-Type: application/json", error);
	if (result != TOCSIN_OK || !key || !*key)
		return result;
	if (!is_key(key))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"TOCSIN_KEY has a space, a line end or another character "
					"that no key has");
	if (asprintf(&authorization, "Authorization: Bearer %s", key) < 0) {
		authorization = NULL;
		return no_memory(error);
	}
	return add_header(headers, authorization, error);
}

static bool has_key(void)
{
	const char *key = getenv("TOCSIN_KEY");

	return key && *key;
}

/* What the document's sentence says already is not said twice. PagerDuty's errors are texts. */
static void append_input_errors(struct tc_buffer *out, const char *detail, const json_t *errors)
{
	size_t index;
	json_t *error;

	json_array_foreach(errors, index, error)
	{
		const char *pointer = json_string_value(json_object_get(error, "pointer"));
		const char *reason = json_string_value(json_object_get(error, "detail"));

		if (json_is_string(error))
			tc_buffer_append_format(out, "; %s", json_string_value(error));
		if (!pointer || !reason || (strstr(detail, pointer) && strstr(detail, reason)))
			continue;
		if (json_array_size(errors) == 1 && strstr(detail, reason))
			tc_buffer_append_format(out, " (%s)", pointer);
		else
			tc_buffer_append_format(out, "; %s %s", pointer, reason);
	}
}

/* A problem document says what was wrong, field by field. */
static int fail_with_problem(const char *url, const struct tc_buffer *body, long http_status,
			     struct tocsin_error *error)
{
	TC_CLEANUP(json_decref)
	json_t *problem = body->data ? json_loadb(body->data, body->length, 0, NULL) : NULL;
	const char *message = json_string_value(json_object_get(problem, "message"));
	const char *title = message ? message /* PagerDuty's words */
				    : json_string_value(json_object_get(problem, "title"));
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	int code = http_status >= 500 || http_status == 429 ? TOCSIN_E_UNAVAILABLE
		   : http_status == 404                     ? TOCSIN_E_NOT_FOUND
							    : TOCSIN_E_INVALID;
	int length = detail ? (int)strlen(detail) : 0;
	TC_BUFFER text = {0};

	if (!title)
		return tocsin_error_set(
			error, code,
			"%.200s answered %ld without saying why: is it a Tocsin server?", url,
			http_status);
	length -= length > 0 && detail[length - 1] == '.'; /* more may follow */
	tc_buffer_append_format(&text, "%s%s%.*s", title, detail ? ": " : "", length,
				detail ? detail : "");
	append_input_errors(&text, detail ? detail : "", json_object_get(problem, "errors"));
	if (http_status == 401 && !has_key())
		tc_buffer_append_text(&text, " (TOCSIN_KEY is not set)");
	return tocsin_error_set(error, code, "the server answered %ld %s", http_status,
				text.failed ? title : text.data);
}

static int perform(CURL *curl, const char *url, struct tc_buffer *answer,
		   struct tocsin_error *error)
{
	char reason[CURL_ERROR_SIZE] = "";
	long http_status = 0;
	CURLcode code;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a system may be called ".." */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	code = curl_easy_perform(curl);
	if (answer->failed)
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"%.200s answered more than %zu MiB", url,
					ANSWER_MAX / 1024 / 1024);
	if (code != CURLE_OK)
		return tocsin_error_set(error, TOCSIN_E_UNAVAILABLE, "%.200s: %s", url,
					reason[0] ? reason : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
	if (http_status < 200 || http_status > 299)
		return fail_with_problem(url, answer, http_status, error);
	return TOCSIN_OK;
}

/* One of http or https with a host, and nothing behind the path. */
static bool is_server(const char *base)
{
	TC_CLEANUP(curl_url_cleanup) CURLU *parsed = curl_url();
	TC_CLEANUP(curl_free) char *scheme = NULL;
	TC_CLEANUP(curl_free) char *other = NULL;

	if (!parsed || curl_url_set(parsed, CURLUPART_URL, base, CURLU_GUESS_SCHEME) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return false;
	return (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
	       curl_url_get(parsed, CURLUPART_QUERY, &other, 0) == CURLUE_NO_QUERY &&
	       curl_url_get(parsed, CURLUPART_FRAGMENT, &other, 0) == CURLUE_NO_FRAGMENT;
}

/* The server's address without its last slashes, and the path; owned by the caller. */
static int make_url(const char *base, const char *path, char **ret_url, struct tocsin_error *error)
{
	const char *name = base ? "--url" : "TOCSIN_URL";
	size_t length;
	char *url;

	base = base ? base : getenv("TOCSIN_URL");
	base = base && *base ? base : DEFAULT_URL;
	if (!is_server(base))
		return tocsin_error_set(error, TOCSIN_E_INVALID,
					"%s: \"%.200s\" is no address of a server, such as %s",
					name, base, DEFAULT_URL);
	length = strlen(base);
	while (length > 0 && base[length - 1] == '/')
		length--;
	if (asprintf(&url, "%.*s%s", (int)length, base, path) < 0)
		return no_memory(error);
	*ret_url = url;
	return TOCSIN_OK;
}

/* What came, as JSON; owned by the caller. NULL if it cannot be. */
static json_t *read_answer(CURL *curl, const struct tc_buffer *answer, bool takes_text)
{
	const char *type = NULL;

	if (answer->length == 0) /* 204: done, and nothing to tell */
		return json_null();
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (takes_text && type && strncasecmp(type, "text/", strlen("text/")) == 0)
		return json_stringn(answer->data, answer->length);
	return json_loadb(answer->data, answer->length, 0, NULL);
}

int tc_client_run(const struct tc_client_request *request, json_t **ret_answer,
		  struct tocsin_error *error)
{
	TC_CLEANUP(curl_easy_cleanup) CURL *curl = curl_easy_init();
	TC_CLEANUP(curl_slist_free_all) struct curl_slist *headers = NULL;
	TC_FREE char *url = NULL, *body = NULL;
	TC_BUFFER answer = {.max = ANSWER_MAX};
	int result = curl ? make_url(request->url, request->path, &url, error) : no_memory(error);

	if (result == TOCSIN_OK && request->body) {
		body = json_dumps(request->body, JSON_COMPACT);
		result = body ? TOCSIN_OK : no_memory(error);
	}
	if (result == TOCSIN_OK)
		result = add_headers(&headers, body, error);
	if (result != TOCSIN_OK)
		return result;
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	result = perform(curl, url, &answer, error);
	if (result != TOCSIN_OK)
		return result;
	*ret_answer = read_answer(curl, &answer, request->takes_text);
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
	TC_FREE char *url = NULL, *last = NULL;
	struct stream stream = {curl, request, {.max = ANSWER_MAX}};
	int result = curl ? make_url(request->url, request->path, &url, error) : no_memory(error);

	if (result == TOCSIN_OK)
		result = add_headers(&headers, false, error);
	if (result == TOCSIN_OK && *request->last_id) {
		if (asprintf(&last, "Last-Event-ID: %s", request->last_id) < 0) {
			last = NULL;
			return no_memory(error);
		}
		result = add_header(&headers, last, error);
	}
	if (result != TOCSIN_OK)
		return result;
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
