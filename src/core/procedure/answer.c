/* core/procedure/answer.c: see answer.h. */
#include "core/procedure/answer.h"

#include "base/clock.h"
#include "core/cache/cache.h"
#include "core/metrics.h"
#include "core/procedure/cursor.h"
#include "core/procedure/idempotency.h"
#include "core/procedure/lookup.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADERS_MAX 8u

struct headers {
	struct tc_http_header all[HEADERS_MAX];
	size_t count;
	char retry_after[12];
	char etag[TC_ETAG_SIZE];
};

static void add(struct headers *headers, const char *name, const char *value)
{
	headers->all[headers->count++] = (struct tc_http_header){name, value};
}

/* Strong: the same bytes, the same tag, on every node. */
static void make_etag(const char *body, size_t length, char ret_etag[static TC_ETAG_SIZE])
{
	unsigned char hash[crypto_generichash_BYTES_MIN];

	static_assert(
		sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_URLSAFE_NO_PADDING) ==
			TC_ETAG_SIZE - 2,
		"a tag is a hash in quotes");
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)body, length, NULL, 0);
	ret_etag[0] = '"';
	sodium_bin2base64(ret_etag + 1, TC_ETAG_SIZE - 2, hash, sizeof(hash),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	ret_etag[TC_ETAG_SIZE - 2] = '"';
	ret_etag[TC_ETAG_SIZE - 1] = '\0';
}

/* What a browser or proxy may do with a read: it may be kept by whom it was made for, who asks each time whether
 * it still holds; one that failed, or that needs no rule (health, one's own session), by nobody. */
static void fill(struct tc_call *call, const struct tc_http_response *response,
		 struct headers *headers)
{
	bool has_etag = call->is_read && response->status == 200 && response->body;

	headers->count = 0;
	headers->etag[0] = '\0';
	if (has_etag) {
		make_etag(response->body, response->body_length, headers->etag);
		add(headers, "ETag", headers->etag);
	}
	if (call->is_read)
		add(headers, "Cache-Control",
		    has_etag && call->procedure->rule ? "private, no-cache" : "no-store");
	if (response->status == 401)
		add(headers, "WWW-Authenticate", "Bearer");
	if (response->status == 503 || response->status == 429 || call->retry_after_s > 0) {
		snprintf(headers->retry_after, sizeof(headers->retry_after), "%u",
			 TC_MAX(call->retry_after_s, 1u));
		add(headers, "Retry-After", headers->retry_after);
	}
	if (call->set_cookie)
		add(headers, "Set-Cookie", call->set_cookie);
	if (call->allow)
		add(headers, "Allow", call->allow);
	if (tc_idempotency_is_replay(call))
		add(headers, "Idempotency-Replayed", "true");
}

static void measure(const struct tc_call *call, unsigned status)
{
	tc_metrics_request(call->index, status, tc_clock_us() - call->started_us);
}

static void send_shared(struct tc_call *call, struct tc_http_answer *answer)
{
	measure(call, tc_http_answer_status(answer));
	tc_http_respond_shared(call->request, answer);
	tc_call_free(call);
}

/* Ends the load of a call, and answers it and all who waited. Without memory for a shared answer they get
 * 503 without words. */
static void serve(struct tc_call *call, const struct tc_http_response *response,
		  const struct headers *headers)
{
	const struct tc_http_response not_modified = {
		.status = 304, .headers = headers->all, .headers_count = headers->count};
	TC_CLEANUP(tc_http_answer_unref) struct tc_http_answer *full = tc_http_answer_new(response);
	TC_CLEANUP(tc_cache_value_unref) struct tc_cache_value *value = NULL;
	struct tc_list waiters, *node;

	if (full && headers->etag[0])
		value = tc_cache_value_new(tc_http_answer_ref(full),
					   tc_http_answer_new(&not_modified), headers->etag);
	tc_list_init(&waiters);
	tc_cache_end(call->options->cache, tc_take(call->load), value, &waiters);
	tc_list_push_front(&waiters, &call->job.node);
	while ((node = tc_list_pop_front(&waiters))) {
		struct tc_call *waiting = tc_list_entry(node, struct tc_call, job.node);

		if (waiting != call)
			tc_http_request_go_behind(waiting->request);
		if (value) {
			send_shared(waiting, tc_cache_value_choose(value, waiting->if_none_match));
		} else if (full) {
			send_shared(waiting, full);
		} else {
			measure(waiting, 503);
			tc_http_respond(waiting->request,
					&(struct tc_http_response){.status = 503});
			tc_call_free(waiting);
		}
	}
}

/* Here, because every call comes by: nobody can forget it. Some of a call that failed may be committed. */
static void tell_commit(const struct tc_call *call)
{
	if (call->has_run && !call->is_unchanged && call->options->committed &&
	    call->procedure->method != TC_GET && !(call->procedure->flags & TC_CHANGES_NOTHING))
		call->options->committed(call->options->app);
}

void tc_answer(struct tc_call *call, struct tc_http_response *response)
{
	struct headers headers;

	if (call->procedure && !tc_cursor_wrap(call->procedure, response)) {
		free(response->body);
		*response = (struct tc_http_response){.status = 503};
	}
	if (!tc_idempotency_settle(call, response))
		return; /* answered when it is stored */
	if (call->committed)
		call->committed(call);
	tc_lookup_drop(call);
	tell_commit(call);
	fill(call, response, &headers);
	response->headers = headers.all;
	response->headers_count = headers.count;
	if (call->load) {
		serve(call, response, &headers);
		return;
	}
	if (headers.etag[0] && tc_etag_matches(call->if_none_match, headers.etag)) {
		free(response->body);
		response->body = NULL;
		response->body_length = 0;
		response->content_type = NULL;
		response->status = 304;
	}
	measure(call, response->status);
	tc_http_respond(call->request, response);
	tc_call_free(call);
}
