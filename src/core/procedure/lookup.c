/* core/procedure/lookup.c: see lookup.h.
 *
 * The key: the row, what the caller may see, and the parameters by name in order, decoded: it does not
 * matter how a URL was written. No JSON is made. */
#include "core/procedure/lookup.h"

#include "base/clock.h"
#include "core/cache/cache.h"
#include "core/metrics.h"
#include "core/procedure/idempotency.h"
#include "core/procedure/validate.h"
#include "http/url.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX 16u

struct parameter {
	const char *name;
	size_t offset; /* of the text */
	unsigned order;
};

struct builder {
	struct parameter parameters[PARAMETERS_MAX];
	unsigned count;
	char text[TC_CACHE_KEY_MAX];
	size_t length;
	bool failed; /* too long or too many: not for the cache */
};

/* `name` must outlive the builder where `is_lasting`; else it is copied. */
static void add(struct builder *builder, const char *name, bool is_lasting, const char *value,
		size_t value_length)
{
	size_t name_size = is_lasting ? 0 : strlen(name) + 1;
	struct parameter *parameter;

	if (builder->count == PARAMETERS_MAX ||
	    name_size + value_length + 1 > sizeof(builder->text) - builder->length) {
		builder->failed = true;
		return;
	}
	parameter = &builder->parameters[builder->count];
	parameter->order = builder->count++;
	if (!is_lasting) {
		memcpy(builder->text + builder->length, name, name_size);
		name = builder->text + builder->length;
		builder->length += name_size;
	}
	parameter->name = name;
	parameter->offset = builder->length;
	memcpy(builder->text + builder->length, value, value_length);
	builder->text[builder->length + value_length] = '\0';
	builder->length += value_length + 1;
}

static bool add_query(const char *name, const char *value, void *userdata)
{
	struct builder *builder = userdata;

	add(builder, name, false, value, strlen(value));
	return !builder->failed;
}

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'F')
			*text = (char)(*text - 'A' + 'a');
}

static void add_path(struct builder *builder, const struct tc_route_match *match)
{
	for (unsigned i = 0; i < match->route->segments_count && !builder->failed; i++) {
		const struct tc_field *field = match->route->segments[i].field;
		const struct tc_segment *segment = &match->segments[i];
		size_t decoded;
		char *text;

		if (!field)
			continue;
		add(builder, field->name, true, segment->text, segment->length);
		if (builder->failed)
			return;
		text = builder->text + builder->parameters[builder->count - 1].offset;
		if (!tc_url_decode(text, segment->length, &decoded) || strlen(text) != decoded)
			builder->failed = true;
	}
}

static int compare(const void *left, const void *right)
{
	const struct parameter *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	if (order)
		return order;
	return a->order < b->order ? -1 : 1;
}

static bool append(char *key, size_t *length, const void *bytes, size_t count)
{
	if (count > TC_CACHE_KEY_MAX - *length)
		return false;
	memcpy(key + *length, bytes, count);
	*length += count;
	return true;
}

/* False where the request is not for the cache. */
static bool build_key(const struct tc_call *call, struct builder *builder,
		      const struct tc_route_match *match, char key[static TC_CACHE_KEY_MAX],
		      struct tc_cache_query *ret_query)
{
	const struct {
		unsigned index, rules, is_anonymous;
	} head = {call->index, call->caller.rules, call->caller.is_anonymous};
	const char *wanted = call->procedure->about_thing;
	size_t length = 0;
	bool fits = append(key, &length, &head, sizeof(head));

	builder->count = 0;
	builder->length = 0;
	builder->failed = false;
	add_path(builder, match);
	if (!builder->failed)
		tc_http_request_query(call->request, add_query, builder);
	if (builder->failed)
		return false;
	qsort(builder->parameters, builder->count, sizeof(builder->parameters[0]), compare);
	ret_query->thing = NULL;
	for (unsigned i = 0; i < builder->count && fits; i++) {
		const struct parameter *parameter = &builder->parameters[i];
		const struct tc_field *field =
			tc_validate_find(call->procedure->fields, parameter->name, TC_PLACE_ANY);
		char *text = builder->text + parameter->offset;

		if (field && field->type == TC_FIELD_UUID)
			lower(text); /* one id, one key, whoever writes it how */
		fits = append(key, &length, parameter->name, strlen(parameter->name) + 1) &&
		       append(key, &length, text, strlen(text) + 1);
		if (wanted && strcmp(parameter->name, wanted) == 0)
			ret_query->thing = text;
	}
	ret_query->key = key;
	ret_query->key_length = length;
	ret_query->about = call->procedure->about;
	ret_query->now_ms = tc_clock_ms();
	return fits && (!wanted || ret_query->thing);
}

/* RFC 9111, section 5.2.1.4: the caller wants it from where it comes from. */
static bool wants_origin(const struct tc_call *call)
{
	const char *control = tc_http_request_header(call->request, "Cache-Control");

	return control && strcasestr(control, "no-cache");
}

bool tc_lookup(struct tc_call *call, const struct tc_route_match *match)
{
	struct tc_cache *cache = call->options->cache;
	struct tc_cache_value *value = NULL;
	struct builder builder;
	struct tc_cache_query query;
	char key[TC_CACHE_KEY_MAX];
	struct tc_http_answer *answer;
	size_t body_length;

	/* What a body says is not in the key: it is judged, and nobody shares what becomes of it. */
	tc_http_request_body(call->request, &body_length);
	if (!cache || !call->is_read || body_length > 0 || !(call->procedure->flags & TC_CACHED) ||
	    wants_origin(call) || !build_key(call, &builder, match, key, &query))
		return false;
	switch (tc_cache_find(cache, &query, &call->job.node, &value, &call->load)) {
	case TC_CACHE_HIT:
		break;
	case TC_CACHE_WAIT:
		return true; /* the call is not ours any more */
	default:
		return false;
	}
	answer = tc_cache_value_choose(value, call->if_none_match);
	tc_metrics_request(call->index, tc_http_answer_status(answer),
			   tc_clock_us() - call->started_us);
	tc_http_respond_shared(call->request, answer);
	tc_cache_value_unref(value);
	tc_call_free(call);
	return true;
}

void tc_lookup_drop(struct tc_call *call)
{
	const struct tc_procedure *procedure = call->procedure;
	struct tc_cache *cache = call->options->cache;
	const char *thing;

	if (!cache || !procedure || !procedure->about ||
	    procedure->flags & (TC_CACHED | TC_CHANGES_NOTHING))
		return;
	if (call->is_unchanged || (!call->has_run && !tc_idempotency_is_replay(call)))
		return; /* refused before anything was done: strangers shall not empty the cache */
	thing = procedure->about_thing ? tc_call_string(call, procedure->about_thing) : NULL;
	if (procedure->flags & TC_ONLY_ADDS)
		tc_cache_drop_lists(cache, procedure->about);
	else
		tc_cache_drop(cache, procedure->about, thing);
}
