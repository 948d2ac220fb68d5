/* The alerts of one payload. The model is in alert_request.h. */
#include "modules/alert/alert_request.h"

#include "base/utf8.h"
#include "modules/incident/creator.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_SIZE     16
#define HASH_HEX_SIZE (2 * HASH_SIZE + 1)

struct tc_alert_request *tc_alert_request_new(unsigned count)
{
	struct tc_alert_request *request;

	assert(count <= TC_ALERT_REQUEST_MAX);
	request = calloc(1, sizeof(*request) + count * sizeof(request->alerts[0]));
	if (!request)
		return NULL;
	request->count = count;
	for (unsigned i = 0; i < count; i++) {
		tc_list_init(&request->alerts[i].item.node);
		request->alerts[i].request = request;
	}
	return request;
}

struct tc_alert_request *tc_alert_request_free(struct tc_alert_request *request)
{
	if (!request)
		return NULL;
	for (unsigned i = 0; i < request->count; i++) {
		struct tc_alert *alert = &request->alerts[i];

		free(alert->lock_key);
		free(alert->identity);
		free(alert->title);
		free(alert->labels);
		free(alert->annotations);
	}
	free(request);
	return NULL;
}

bool tc_alert_has_nul(const json_t *value)
{
	json_t *members = (json_t *)(uintptr_t)value, *item; /* jansson walks no constants */
	const char *name;
	size_t i;

	if (json_is_string(value))
		return strlen(json_string_value(value)) != json_string_length(value);
	json_array_foreach(members, i, item)
	{
		if (tc_alert_has_nul(item))
			return true;
	}
	/* The parser lets no name have one. */
	json_object_foreach(members, name, item)
	{
		if (tc_alert_has_nul(item))
			return true;
	}
	return false;
}

/* prefix + text; a text of more than `max` characters becomes its beginning, "~" and a hash of the whole,
 * so that two long texts that differ stay two. */
static char *join_shortened(const char *prefix, const char *text, size_t max)
{
	unsigned char hash[HASH_SIZE];
	char hex[HASH_HEX_SIZE], *joined = NULL;
	size_t length = strlen(text);

	if (tc_utf8_length(text) <= max)
		return asprintf(&joined, "%s%s", prefix, text) < 0 ? NULL : joined;
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)text, length, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	length = tc_utf8_prefix(text, max - HASH_HEX_SIZE);
	return asprintf(&joined, "%s%.*s~%s", prefix, (int)length, text, hex) < 0 ? NULL : joined;
}

bool tc_alert_set_identity(struct tc_alert *alert, const struct tc_alert_origin *origin,
			   const char *dedup_key, const char *system_id)
{
	char prefix[TC_ALERT_SOURCE_MAX + 2];
	int length = snprintf(prefix, sizeof(prefix), "%s\x1f", origin->source);

	assert(length > 0 && (size_t)length < sizeof(prefix));
	alert->origin = origin;
	alert->identity = join_shortened(prefix, dedup_key, TC_ALERT_DEDUP_KEY_MAX);
	alert->lock_key =
		join_shortened(TC_INCIDENT_DEDUPE_KEY_PREFIX, system_id, TC_ALERT_SYSTEM_MAX);
	if (!alert->identity || !alert->lock_key)
		return false;
	alert->dedup_key = alert->identity + length;
	alert->system_id = alert->lock_key + strlen(TC_INCIDENT_DEDUPE_KEY_PREFIX);
	alert->item.key = alert->lock_key;
	alert->item.exclusive = alert->identity;
	return true;
}
