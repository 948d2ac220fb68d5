/* Alertmanager's webhook into alerts. What is made of what is in alertmanager.h. */
#include "modules/alert/alertmanager.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FINGERPRINT_SIZE 16

static const struct tc_alert_origin origin = {
	.source = "alertmanager",
	.actor = "source:alertmanager",
	.actor_name = "Alertmanager",
	.opened = "Opened by an alert from Alertmanager.",
};

/* --- which label names the system --- */

/* Prometheus' data model: [a-zA-Z_][a-zA-Z0-9_]* */
static bool is_label_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

int tc_alert_labels_init(struct tc_alert_labels *labels, const char *list,
			 struct tocsin_error *error)
{
	TC_FREE char *text = strdup(list);
	struct tc_alert_labels read = {0};
	char *rest = text, *name;

	if (!text)
		return tocsin_error_set(error, TOCSIN_E_NOMEM,
					"out of memory for the system labels");
	while ((name = strsep(&rest, ","))) {
		if (read.count == TC_ALERT_SYSTEM_LABELS_MAX)
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"at most %d labels may name the system",
						TC_ALERT_SYSTEM_LABELS_MAX);
		if (!is_label_name(name))
			return tocsin_error_set(
				error, TOCSIN_E_INVALID,
				"\"%s\" is not a list of label names, such as system,service,job",
				list);
		read.names[read.count++] = name;
	}
	read.text = tc_take(text);
	*labels = read;
	return TOCSIN_OK;
}

void tc_alert_labels_deinit(struct tc_alert_labels *labels)
{
	free(labels->text);
	*labels = (struct tc_alert_labels){0};
}

/* --- parts of one alert --- */

/* The text of a member; NULL if it is missing or empty. */
static const char *get_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

static const char *find_system(const json_t *members, const struct tc_alert_labels *labels)
{
	const char *text;

	for (unsigned i = 0; i < labels->count; i++)
		if ((text = get_text(members, labels->names[i])))
			return text;
	text = get_text(members, "alertname");
	return text ? text : "unknown";
}

static const char *find_severity(const json_t *labels)
{
	static const struct {
		const char *label, *severity;
	} severities[] = {{"critical", "critical"},
			  {"warning", "major"},
			  {"error", "major"},
			  {"high", "major"}};
	const char *text = get_text(labels, "severity");

	for (size_t i = 0; text && i < TC_ARRAY_LENGTH(severities); i++)
		if (strcasecmp(text, severities[i].label) == 0)
			return severities[i].severity;
	return "minor";
}

static char *make_title(const json_t *labels, const json_t *annotations, const char *system_id)
{
	const char *text = get_text(annotations, "summary");
	char *title = NULL;

	if (!text)
		text = get_text(labels, "alertname");
	if (!text)
		return asprintf(&title, "Alert on %s", system_id) < 0 ? NULL : title;
	return strndup(text, tc_utf8_prefix(text, TC_ALERT_TITLE_MAX));
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* A hash of the labels, as 32 hex digits. NULL if memory ran out. */
static char *make_fingerprint(const json_t *labels)
{
	size_t count = json_object_size(labels), i = 0;
	TC_FREE char *memory = calloc(count + 1, sizeof(char *));
	const char **names = (const char **)(void *)memory;
	unsigned char hash[FINGERPRINT_SIZE];
	crypto_generichash_state state;
	const char *name;
	json_t *value;
	char *text = malloc(2 * FINGERPRINT_SIZE + 1);

	if (!names || !text) {
		free(text);
		return NULL;
	}
	json_object_foreach((json_t *)(uintptr_t)labels, name, value) names[i++] = name;
	qsort(names, count, sizeof(*names), compare_names);
	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	for (i = 0; i < count; i++) {
		/* With their NULs, so that no two sets of labels are the same run of bytes. */
		const char *label = json_string_value(json_object_get(labels, names[i]));

		crypto_generichash_update(&state, (const unsigned char *)names[i],
					  strlen(names[i]) + 1);
		crypto_generichash_update(&state, (const unsigned char *)label, strlen(label) + 1);
	}
	crypto_generichash_final(&state, hash, sizeof(hash));
	return sodium_bin2hex(text, 2 * FINGERPRINT_SIZE + 1, hash, sizeof(hash));
}

/* --- one alert --- */

/* An object of texts, or nothing at all; without NULs. */
static void check_texts(const json_t *alert, unsigned index, const char *member,
			struct tc_problem *problem)
{
	const json_t *object = json_object_get(alert, member);
	char pointer[sizeof(problem->errors[0].pointer)];
	const char *name;
	json_t *value;

	snprintf(pointer, sizeof(pointer), "/alerts/%u/%s", index, member);
	if (!object || json_is_null(object))
		return;
	if (!json_is_object(object)) {
		tc_problem_add(problem, pointer, "must be an object of strings");
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (!json_is_string(value))
			tc_problem_add(problem, pointer,
				       "must be an object of strings; \"%.64s\" is not one", name);
		else if (tc_alert_has_nul(value))
			tc_problem_add(problem, pointer,
				       "must not contain NUL characters; \"%.64s\" does", name);
		else
			continue;
		return;
	}
}

static void check_alert(const json_t *alert, unsigned index, struct tc_problem *problem)
{
	const json_t *fingerprint = json_object_get(alert, "fingerprint");
	const json_t *status = json_object_get(alert, "status");
	const char *state = tc_alert_has_nul(status) ? NULL : json_string_value(status);
	char pointer[64];

	if (!json_is_object(alert)) {
		snprintf(pointer, sizeof(pointer), "/alerts/%u", index);
		tc_problem_add(problem, pointer, "must be an object");
		return;
	}
	if (!state || (strcmp(state, "firing") != 0 && strcmp(state, "resolved") != 0)) {
		snprintf(pointer, sizeof(pointer), "/alerts/%u/status", index);
		tc_problem_add(problem, pointer, "must be \"firing\" or \"resolved\"");
	}
	if (fingerprint && !json_is_null(fingerprint) &&
	    (!json_is_string(fingerprint) || tc_alert_has_nul(fingerprint))) {
		snprintf(pointer, sizeof(pointer), "/alerts/%u/fingerprint", index);
		tc_problem_add(problem, pointer, "must be a string without NUL characters");
	}
	check_texts(alert, index, "labels", problem);
	check_texts(alert, index, "annotations", problem);
}

static char *dump(const json_t *object)
{
	return json_is_object(object) ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS)
				      : strdup("{}");
}

/* False if memory ran out. */
static bool read_alert(struct tc_alert *alert, const json_t *from,
		       const struct tc_alert_labels *names)
{
	const json_t *labels = json_object_get(from, "labels");
	const json_t *annotations = json_object_get(from, "annotations");
	const char *fingerprint = get_text(from, "fingerprint");
	TC_FREE char *made = NULL;

	alert->report = strcmp(json_string_value(json_object_get(from, "status")), "firing") == 0
				? TC_ALERT_FIRING
				: TC_ALERT_RESOLVE;
	if (!fingerprint) {
		made = make_fingerprint(labels);
		fingerprint = made;
	}
	if (!fingerprint ||
	    !tc_alert_set_identity(alert, &origin, fingerprint, find_system(labels, names)))
		return false;
	alert->severity = find_severity(labels);
	alert->title = make_title(labels, annotations, alert->system_id);
	alert->labels = dump(labels);
	alert->annotations = dump(annotations);
	tc_uuid_new(alert->incident_id);
	return alert->title && alert->labels && alert->annotations;
}

int tc_alertmanager_parse(const json_t *alerts, const struct tc_alert_labels *labels,
			  struct tc_alert_request **ret_request, struct tc_problem *problem,
			  struct tocsin_error *error)
{
	TC_CLEANUP(tc_alert_request_free) struct tc_alert_request *request = NULL;
	size_t count = json_array_size(alerts);

	if (!json_is_array(alerts))
		tc_problem_add(problem, "/alerts", "must be an array");
	else if (count > TC_ALERT_REQUEST_MAX)
		tc_problem_add(problem, "/alerts",
			       "must have at most %u alerts (see max_alerts of webhook_config)",
			       TC_ALERT_REQUEST_MAX);
	for (unsigned i = 0; i < count && problem->errors_count == 0; i++)
		check_alert(json_array_get(alerts, i), i, problem);
	if (problem->errors_count > 0)
		return tocsin_error_set(error, TOCSIN_E_INVALID, "not Alertmanager's alerts: %s %s",
					problem->errors[0].pointer, problem->errors[0].detail);

	request = tc_alert_request_new((unsigned)count);
	if (!request)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for alerts");
	for (unsigned i = 0; i < count; i++)
		if (!read_alert(&request->alerts[i], json_array_get(alerts, i), labels))
			return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory for alerts");
	*ret_request = tc_take(request);
	return TOCSIN_OK;
}
