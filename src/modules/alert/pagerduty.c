/* modules/alert/pagerduty.c: see pagerduty.h. */
#include "modules/alert/pagerduty.h"

#include "base/utf8.h"
#include "modules/alert/source.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SUMMARY_MAX 1024

TC_DEFINE_CLEANUP(json_t *, json_decref);

/* --- what is wrong --- */

__attribute__((format(printf, 2, 3))) static void complain(struct tc_pagerduty_errors *errors,
							   const char *format, ...)
{
	va_list arguments;

	if (errors->count == TC_PAGERDUTY_ERRORS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(errors->texts[errors->count++], sizeof(errors->texts[0]), format, arguments);
	va_end(arguments);
}

/* The text of a member; NULL if it is none, or blank. */
static const char *get_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text && !tc_utf8_is_blank(text) ? text : NULL;
}

/* A text that must be there, and not blank; NULL otherwise. `name` is what people know it as. */
static const char *need_text(const json_t *object, const char *member, const char *name,
			     struct tc_pagerduty_errors *errors)
{
	const json_t *value = json_object_get(object, member);
	const char *text = get_text(object, member);

	if (value && !json_is_null(value) && !json_is_string(value))
		complain(errors, "'%s' must be a string", name);
	else if (!text)
		complain(errors, "'%s' is missing or blank", name);
	return text;
}

/* --- NULs --- */

/* What is read, of every event and of a trigger. */
static const char *const head_names[] = {"routing_key", "event_action", "dedup_key", NULL};
static const char *const client_names[] = {"client", "client_url", "links", "images", NULL};
static const char *const payload_names[] = {"summary", "source", "severity",       "component",
					    "group",   "class",  "custom_details", NULL};

/* Comes before the texts are read as C reads them: up to a NUL, which makes another event of it. */
static void refuse_nuls(const json_t *object, const char *prefix, const char *const *names,
			struct tc_pagerduty_errors *errors)
{
	for (; *names; names++)
		if (tc_alert_has_nul(json_object_get(object, *names)))
			complain(errors, "'%s%s' must not contain NUL characters", prefix, *names);
}

/* --- members --- */

static const struct {
	const char *name;
	enum tc_alert_report report;
} actions[] = {
	{"trigger", TC_ALERT_FIRING},
	{"acknowledge", TC_ALERT_ACKNOWLEDGE},
	{"resolve", TC_ALERT_RESOLVE},
};

static bool read_action(const json_t *body, enum tc_alert_report *ret_report,
			struct tc_pagerduty_errors *errors)
{
	const char *text = need_text(body, "event_action", "event_action", errors);

	for (size_t i = 0; text && i < TC_ARRAY_LENGTH(actions); i++) {
		if (strcmp(text, actions[i].name) != 0)
			continue;
		*ret_report = actions[i].report;
		return true;
	}
	if (text)
		complain(errors, "'event_action' must be one of trigger, acknowledge, resolve");
	return false;
}

static void read_dedup_key(const json_t *body, struct tc_pagerduty_event *event,
			   struct tc_pagerduty_errors *errors)
{
	const json_t *value = json_object_get(body, "dedup_key");
	const char *text = json_string_value(value);
	bool is_blank = !text || tc_utf8_is_blank(text);

	event->dedup_key = text;
	if (value && !json_is_null(value) && !text) {
		complain(errors, "'dedup_key' must be a string");
	} else if (text && tc_utf8_length(text) > TC_ALERT_DEDUP_KEY_MAX) {
		complain(errors, "'dedup_key' must have at most %d characters",
			 TC_ALERT_DEDUP_KEY_MAX);
	} else if (event->report != TC_ALERT_FIRING && is_blank) {
		complain(errors, "'dedup_key' is missing or blank");
	} else if (!text || !*text) {
		tc_uuid_new(event->made_key);
		event->dedup_key = event->made_key;
	} else if (is_blank) {
		complain(errors, "'dedup_key' must not be blank; leave it out to have one made");
	}
}

static const char *read_severity(const json_t *payload, struct tc_pagerduty_errors *errors)
{
	static const struct {
		const char *theirs, *ours;
	} severities[] = {{"critical", "critical"},
			  {"error", "major"},
			  {"warning", "major"},
			  {"info", "minor"}};
	const char *text = need_text(payload, "severity", "payload.severity", errors);

	for (size_t i = 0; text && i < TC_ARRAY_LENGTH(severities); i++)
		if (strcmp(text, severities[i].theirs) == 0)
			return severities[i].ours;
	if (text)
		complain(errors,
			 "'payload.severity' must be one of critical, error, warning, info");
	return NULL;
}

static const char *find_system(const json_t *payload, const char *source)
{
	const char *system = get_text(json_object_get(payload, "custom_details"), "system");

	if (!system)
		system = get_text(payload, "component");
	return system ? system : source;
}

static void read_trigger(const json_t *body, struct tc_pagerduty_event *event,
			 struct tc_pagerduty_errors *errors)
{
	const json_t *payload = json_object_get(body, "payload");
	unsigned count = errors->count;

	refuse_nuls(body, "", client_names, errors);
	refuse_nuls(payload, "payload.", payload_names, errors);
	if (errors->count > count)
		return;
	if (!json_is_object(payload)) {
		complain(errors, payload && !json_is_null(payload)
					 ? "'payload' must be an object"
					 : "'payload' is missing or blank");
		return;
	}
	event->summary = need_text(payload, "summary", "payload.summary", errors);
	if (event->summary && tc_utf8_length(event->summary) > SUMMARY_MAX)
		complain(errors, "'payload.summary' must have at most %d characters", SUMMARY_MAX);
	event->system =
		find_system(payload, need_text(payload, "source", "payload.source", errors));
	event->severity = read_severity(payload, errors);
}

bool tc_pagerduty_read(const json_t *body, struct tc_pagerduty_event *event,
		       struct tc_pagerduty_errors *errors)
{
	*event = (struct tc_pagerduty_event){0};
	refuse_nuls(body, "", head_names, errors);
	if (errors->count > 0)
		return false;
	event->routing_key = need_text(body, "routing_key", "routing_key", errors);
	if (event->routing_key && strlen(event->routing_key) != TC_SOURCE_KEY_LENGTH)
		complain(errors, "'routing_key' must have %d characters", TC_SOURCE_KEY_LENGTH);
	if (read_action(body, &event->report, errors)) {
		read_dedup_key(body, event, errors);
		if (event->report == TC_ALERT_FIRING)
			read_trigger(body, event, errors);
	}
	return errors->count == 0;
}

/* --- the alert --- */

/* The members of `from` that have one of these names, as JSON; NULL if memory ran out. */
static bool copy_members(json_t *to, const json_t *from, const char *const *names, bool texts_only)
{
	for (; *names; names++) {
		json_t *value = json_object_get(from, *names);

		if (value && (!texts_only || json_is_string(value)) &&
		    json_object_set(to, *names, value) < 0)
			return false;
	}
	return true;
}

static bool describe(struct tc_alert *alert, const json_t *body)
{
	static const char *const label_names[] = {"source", "component", "group", "class", NULL};
	static const char *const detail_names[] = {"summary", "custom_details", NULL};
	const json_t *payload = json_object_get(body, "payload");
	TC_CLEANUP(json_decref) json_t *labels = json_object();
	TC_CLEANUP(json_decref) json_t *annotations = json_object();

	if (!labels || !annotations || !copy_members(labels, payload, label_names, true) ||
	    !copy_members(annotations, body, client_names, false) ||
	    !copy_members(annotations, payload, detail_names, false))
		return false;
	alert->labels = json_dumps(labels, JSON_COMPACT);
	alert->annotations = json_dumps(annotations, JSON_COMPACT);
	return alert->labels && alert->annotations;
}

struct tc_alert_request *tc_pagerduty_request(const json_t *body,
					      const struct tc_pagerduty_event *event,
					      const struct tc_alert_origin *origin,
					      const char *system)
{
	TC_CLEANUP(tc_alert_request_free)
	struct tc_alert_request *request = tc_alert_request_new(1);
	struct tc_alert *alert;

	if (!request)
		return NULL;
	alert = &request->alerts[0];
	alert->report = event->report;
	if (!tc_alert_set_identity(alert, origin, event->dedup_key, system))
		return NULL;
	if (event->report == TC_ALERT_FIRING) {
		alert->severity = event->severity;
		alert->title =
			strndup(event->summary, tc_utf8_prefix(event->summary, TC_ALERT_TITLE_MAX));
		tc_uuid_new(alert->incident_id);
		if (!alert->title || !describe(alert, body))
			return NULL;
	}
	return tc_take(request);
}
