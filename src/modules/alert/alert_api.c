/* Procedures that take alerts. They run on the HTTP thread: reading a payload is quick, and the batcher
 * takes over. Alertmanager retries only 5xx, so whatever may succeed later is 503, and an answer
 * below 500 means: every alert is committed, or can never be. */
#include "base/log.h"
#include "base/macro.h"
#include "core/app.h"
#include "core/cache/cache.h"
#include "modules/alert/alert_intake.h"
#include <stdio.h>

/* Alerts that failed for a reason of their own would fail again for ever, but their payload has
 * others: Alertmanager then gives up by itself when the group changes or resolves. */
static void reply_failed(struct tc_call *call, const struct tocsin_error *error, unsigned failed,
			 unsigned count)
{
	tc_log_warning("alert.failed", "%u of %u alert%s could not be taken in: %s", failed, count,
		       TC_PLURAL(count), error->message);
	tc_call_reply_problem_text(call, 503, "%u of %u alert%s could not be taken in; try again",
				   failed, count, TC_PLURAL(count));
}

static void reply_refused(struct tc_call *call, const struct tc_alert_request *request)
{
	struct tc_problem problem = {.status = 422};

	snprintf(problem.detail, sizeof(problem.detail),
		 "Some alerts are about systems that nobody registered; the others were taken in.");
	for (unsigned i = 0; i < request->count; i++) {
		char pointer[32];

		if (request->alerts[i].outcome != TC_ALERT_REFUSED)
			continue;
		snprintf(pointer, sizeof(pointer), "/alerts/%u", i);
		tc_problem_add(&problem, pointer, "unknown system \"%.128s\"",
			       request->alerts[i].system_id);
	}
	tc_call_reply_problem(call, &problem);
}

static void reply(const struct tc_alert_request *request)
{
	struct tc_call *call = request->userdata;
	unsigned outcomes[TC_ALERT_OUTCOME_COUNT] = {0};
	const struct tocsin_error *error = NULL;
	char body[256];

	for (unsigned i = 0; i < request->count; i++) {
		outcomes[request->alerts[i].outcome]++;
		if (!error && request->alerts[i].outcome == TC_ALERT_FAILED)
			error = &request->alerts[i].item.error;
	}
	if (outcomes[TC_ALERT_DROPPED] + outcomes[TC_ALERT_REFUSED] == request->count)
		tc_call_set_unchanged(call);
	if (error) {
		reply_failed(call, error, outcomes[TC_ALERT_FAILED], request->count);
		return;
	}
	if (outcomes[TC_ALERT_REFUSED] > 0) {
		reply_refused(call, request);
		return;
	}
	snprintf(body, sizeof(body),
		 "{\"received\": %u, \"opened\": %u, \"joined\": %u, \"repeated\": %u, "
		 "\"resolved\": %u, "
		 "\"dropped\": %u}",
		 request->count, outcomes[TC_ALERT_OPENED], outcomes[TC_ALERT_JOINED],
		 outcomes[TC_ALERT_REPEATED], outcomes[TC_ALERT_RESOLVED],
		 outcomes[TC_ALERT_DROPPED]);
	tc_call_reply_copy(call, 200, body);
}

static void ingest_alertmanager(struct tc_call *call)
{
	struct tc_alert_intake *intake = tc_call_app(call)->alerts;
	struct tc_alert_request *request;
	struct tc_problem problem = {.status = 400};
	struct tocsin_error error;
	int result;

	result = tc_alertmanager_parse(json_object_get(tc_call_input(call), "alerts"),
				       &intake->labels, &request, &problem, &error);
	if (result)
		tc_call_set_unchanged(call);
	if (result == TOCSIN_E_INVALID) {
		snprintf(problem.detail, sizeof(problem.detail),
			 "This is not Alertmanager's webhook, version 4.");
		tc_call_reply_problem(call, &problem);
		return;
	}
	if (result) {
		tc_call_reply_problem_text(call, 503, "Out of memory; try again later");
		return;
	}
	request->answer = reply;
	request->userdata = call;
	tc_alert_intake_submit(intake, request);
}

static const char *const versions[] = {"4", NULL};

static const struct tc_field alertmanager_fields[] = {
	{.name = "version",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_REQUIRED,
	 .choices = versions,
	 .description = "Of Alertmanager's webhook"},
	{.name = "alerts",
	 .type = TC_FIELD_OBJECTS,
	 .flags = TC_REQUIRED,
	 .max = TC_ALERT_REQUEST_MAX,
	 .description = "Alerts: {status, labels, annotations, fingerprint}"},
	{.type = TC_FIELD_END},
};

const struct tc_procedure tc_alert_procedures[] = {
	{.name = "ingestAlertmanager",
	 .method = TC_POST,
	 .path = "/api/v1/alerts/alertmanager",
	 .rule = TC_RULE_INCIDENT_MANAGE,
	 .run_on = TC_RUN_INLINE,
	 .flags = TC_UNKNOWN_FIELDS_ALLOWED,
	 .fields = alertmanager_fields,
	 .run = ingest_alertmanager,
	 .about = TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG,
	 .answers = "200 AlertsReceived",
	 .refuses = "422",
	 .summary = "Takes in Alertmanager's webhook, version 4"},
	{0},
};
