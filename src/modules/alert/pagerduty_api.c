/* modules/alert/pagerduty_api.c: POST /v2/enqueue, PagerDuty's Events API, version 2: its errors are JSON of
 * its own form, and its credential is in the body.
 *
 * The way of an event: read on the HTTP thread; its source, and the alert it may be about, looked up on the work
 * executor; its alert taken in by the batcher, which answers. An acknowledge or resolve of an alert that is
 * not known ends after the look.
 *
 * Who is refused, or sends what is dropped, changes nothing, and the cache keeps what it has: whoever can reach
 * the server can send that.
 *
 * What may succeed later is 429, which its clients retry; a database that is away is 503; 202 means that the event is
 * committed, or dropped as it should be. */
#include "base/log.h"
#include "core/app.h"
#include "core/cache/cache.h"
#include "modules/alert/alert_intake.h"
#include "modules/alert/pagerduty.h"
#include "modules/alert/source.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX ((size_t)512 * 1024)

/* An event on its way. It has its call until that is answered. */
struct enqueue {
	struct tc_job job;
	struct tc_call *call;
	json_t *body; /* owned */
	struct tc_pagerduty_event event;
	struct tc_source source;
	char name[TC_ALERT_SOURCE_MAX + 1], actor[TC_ALERT_SOURCE_MAX + 1];
	struct tc_alert_origin origin;
};

static struct enqueue *enqueue_free(struct enqueue *enqueue)
{
	if (enqueue) {
		json_decref(enqueue->body);
		free(enqueue->source.alert_system);
		free(enqueue);
	}
	return NULL;
}
TC_DEFINE_CLEANUP(struct enqueue *, enqueue_free);

/* --- answers --- */

static void reply_error(struct tc_call *call, unsigned status, const char *title,
			const char *message, const struct tc_pagerduty_errors *errors)
{
	TC_BUFFER body = {0};

	tc_buffer_append_text(&body, "{\"status\":");
	tc_buffer_append_json(&body, title);
	tc_buffer_append_text(&body, ",\"message\":");
	tc_buffer_append_json(&body, message);
	tc_buffer_append_text(&body, ",\"errors\":[");
	for (unsigned i = 0; i < errors->count; i++) {
		if (i > 0)
			tc_buffer_append_text(&body, ",");
		tc_buffer_append_json(&body, errors->texts[i]);
	}
	tc_buffer_append_text(&body, "]}");
	tc_call_reply_buffer(call, status, &body);
}

static void reply_invalid(struct tc_call *call, unsigned status,
			  const struct tc_pagerduty_errors *errors)
{
	reply_error(call, status, "invalid event", "Event object is invalid", errors);
}

__attribute__((format(printf, 3, 4))) static void reply_one(struct tc_call *call, unsigned status,
							    const char *format, ...)
{
	struct tc_pagerduty_errors errors = {.count = 1};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(errors.texts[0], sizeof(errors.texts[0]), format, arguments);
	va_end(arguments);
	reply_invalid(call, status, &errors);
}

static void reply_accepted(struct tc_call *call, const char *dedup_key)
{
	TC_BUFFER body = {0};

	tc_buffer_append_text(
		&body, "{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":");
	tc_buffer_append_json(&body, dedup_key);
	tc_buffer_append_text(&body, "}");
	tc_call_reply_buffer(call, 202, &body);
}

/* A failure below: what may succeed later, what never will, and what is our own fault. */
static void reply_failed(struct tc_call *call, const struct tocsin_error *error)
{
	static const struct tc_pagerduty_errors busy = {
		.count = 1,
		.texts = {"The server is too busy for this event; send it again later"}};
	static const struct tc_pagerduty_errors away = {
		.count = 1,
		.texts = {"The server cannot take this event in now; send it again later"}};
	static const struct tc_pagerduty_errors failed = {
		.count = 1, .texts = {"The server failed; its log says why"}};

	if (error->code == TOCSIN_E_INVALID) {
		reply_one(call, 400, "'payload' has values that cannot be kept");
	} else if (error->code == TOCSIN_E_UNAVAILABLE || error->code == TOCSIN_E_NOMEM) {
		tc_log_warning("pagerduty.failed", "an event was not taken in: %s", error->message);
		reply_error(call, 503, "unavailable", "Service unavailable", &away);
	} else if (error->code == TOCSIN_E_CLOSED || tocsin_error_is_retryable(error->code)) {
		reply_error(call, 429, "throttle exceeded", "Requests are arriving too quickly",
			    &busy);
	} else {
		tc_log_error("pagerduty.failed", "an event was not taken in: %s: %s",
			     tocsin_error_name(error->code), error->message);
		reply_error(call, 500, "internal error", "Internal error", &failed);
	}
}

/* --- the intake's answer --- */

static void answer(const struct tc_alert_request *request)
{
	TC_CLEANUP(enqueue_free) struct enqueue *enqueue = request->userdata;
	const struct tc_alert *alert = &request->alerts[0];

	if (alert->outcome == TC_ALERT_REFUSED || alert->outcome == TC_ALERT_DROPPED)
		tc_call_set_unchanged(enqueue->call);
	if (alert->outcome == TC_ALERT_FAILED)
		reply_failed(enqueue->call, &alert->item.error);
	else if (alert->outcome == TC_ALERT_REFUSED)
		reply_one(enqueue->call, 400, "the system \"%.100s\" is not in the catalog",
			  alert->system_id);
	else
		reply_accepted(enqueue->call, enqueue->event.dedup_key);
}

/* --- on the work executor --- */

/* Takes `enqueue`. */
static void take_in(struct enqueue *enqueue, const char *system)
{
	struct tc_alert_intake *intake = tc_call_app(enqueue->call)->alerts;
	struct tc_alert_request *request;

	snprintf(enqueue->name, sizeof(enqueue->name), "pagerduty:%s", enqueue->source.id);
	snprintf(enqueue->actor, sizeof(enqueue->actor), "source:%s", enqueue->source.id);
	enqueue->origin = (struct tc_alert_origin){.source = enqueue->name,
						   .actor = enqueue->actor,
						   .actor_name = enqueue->source.name,
						   .opened = "Opened by a PagerDuty event."};
	request = tc_pagerduty_request(enqueue->body, &enqueue->event, &enqueue->origin, system);
	if (!request) {
		tc_call_set_unchanged(enqueue->call);
		reply_failed(enqueue->call, &(struct tocsin_error){.code = TOCSIN_E_NOMEM,
								   .message = "out of memory"});
		enqueue_free(enqueue);
		return;
	}
	request->answer = answer;
	request->userdata = enqueue;
	tc_alert_intake_submit(intake, request);
}

static void run_job(struct tc_job *job)
{
	TC_CLEANUP(enqueue_free)
	struct enqueue *enqueue = tc_container_of(job, struct enqueue, job);
	struct tc_call *call = enqueue->call;
	const struct tc_pagerduty_event *event = &enqueue->event;
	struct tocsin_error error;
	const char *system;
	int result = tc_source_find(tc_call_app(call)->work_pool, event->routing_key,
				    event->dedup_key, &enqueue->source, &error);

	/* Without a payload: under the key of the system that the alert is about. */
	system = event->report == TC_ALERT_FIRING ? event->system : enqueue->source.alert_system;
	if (result == TOCSIN_OK && system) {
		take_in(tc_take(enqueue), system);
		return;
	}
	tc_call_set_unchanged(call);
	if (result == TOCSIN_E_NOT_FOUND)
		reply_one(call, 400, "'routing_key' names no source, or one that was revoked");
	else if (result)
		reply_failed(call, &error);
	else
		reply_accepted(call, event->dedup_key);
}

static void expire_job(struct tc_job *job)
{
	TC_CLEANUP(enqueue_free)
	struct enqueue *enqueue = tc_container_of(job, struct enqueue, job);

	tc_call_set_unchanged(enqueue->call);
	reply_failed(enqueue->call,
		     &(struct tocsin_error){.code = TOCSIN_E_FULL, .message = "waited too long"});
}

/* --- on the HTTP thread --- */

/* What is wrong with the body, as statuses go; 0: nothing, and `enqueue` has the event. */
static unsigned read_body(struct enqueue *enqueue, struct tc_pagerduty_errors *ret_errors)
{
	struct tc_problem problem;

	enqueue->body = tc_call_parse_body(enqueue->call, BODY_MAX, &problem);
	if (!enqueue->body) {
		ret_errors->count = 1;
		snprintf(ret_errors->texts[0], sizeof(ret_errors->texts[0]), "%.150s",
			 problem.detail);
		return problem.status;
	}
	return tc_pagerduty_read(enqueue->body, &enqueue->event, ret_errors) ? 0 : 400;
}

static void ingest_pagerduty(struct tc_call *call)
{
	TC_CLEANUP(enqueue_free) struct enqueue *enqueue = calloc(1, sizeof(*enqueue));
	struct tocsin_error error = {.code = TOCSIN_E_NOMEM, .message = "out of memory"};
	struct tc_pagerduty_errors errors = {0};
	unsigned status = 503;

	if (enqueue) {
		enqueue->call = call;
		status = read_body(enqueue, &errors);
	}
	if (status == 0) {
		enqueue->job.run = run_job;
		enqueue->job.expire = expire_job;
		tc_list_init(&enqueue->job.node);
		error.code = tc_executor_submit(tc_call_app(call)->work, &enqueue->job);
		if (error.code == TOCSIN_OK) {
			tc_take(enqueue);
			return;
		}
	}
	tc_call_set_unchanged(call);
	if (status == 0 || status == 503)
		reply_failed(call, &error);
	else
		reply_invalid(call, status, &errors);
}

static const char *const actions[] = {"trigger", "acknowledge", "resolve", NULL};

/* For the documents: the handler reads the body itself. */
static const struct tc_field fields[] = {
	{.name = "routing_key",
	 .type = TC_FIELD_STRING,
	 .flags = TC_REQUIRED,
	 .min = TC_SOURCE_KEY_LENGTH,
	 .max = TC_SOURCE_KEY_LENGTH,
	 .description = "The source's key, which is the credential"},
	{.name = "event_action",
	 .type = TC_FIELD_ENUM,
	 .flags = TC_REQUIRED,
	 .choices = actions,
	 .description = "What happened"},
	{.name = "dedup_key",
	 .type = TC_FIELD_STRING,
	 .max = TC_ALERT_DEDUP_KEY_MAX,
	 .description = "Which alert it is; made for a trigger without one"},
	{.name = "payload",
	 .type = TC_FIELD_ANY,
	 .description = "Of a trigger: {summary, source, severity, component, group, class, "
			"custom_details}"},
	{.name = "client", .type = TC_FIELD_ANY, .description = "The name of the sender"},
	{.name = "client_url", .type = TC_FIELD_ANY, .description = "The sender's address"},
	{.name = "links", .type = TC_FIELD_ANY, .description = "Links: {href, text}"},
	{.name = "images", .type = TC_FIELD_ANY, .description = "Images: {src, href, alt}"},
	{.type = TC_FIELD_END},
};

const struct tc_procedure tc_pagerduty_procedures[] = {
	{.name = "ingestPagerDuty",
	 .method = TC_POST,
	 .path = "/v2/enqueue",
	 .rule = TC_RULE_NONE,
	 .run_on = TC_RUN_INLINE,
	 .flags = TC_FOREIGN | TC_UNKNOWN_FIELDS_ALLOWED,
	 .fields = fields,
	 .run = ingest_pagerduty,
	 .about = TC_ABOUT_INCIDENTS | TC_ABOUT_CATALOG,
	 .answers = "202 PagerDutyReply",
	 .refuses = "400 413 429 500 503",
	 .refusal = "PagerDutyRefusal",
	 .summary = "Takes in an event as PagerDuty's Events API does, version 2"},
	{0},
};
