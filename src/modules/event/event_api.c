/* modules/event/event_api.c: the procedures of live streams and of the audit trail. */
#include "core/app.h"
#include "core/procedure/reply.h"
#include "http/stream.h"
#include "modules/auth/auth_session.h"
#include "modules/event/event.h"
#include "modules/event/live.h"

#define PLACE_MAX   64
#define SUBJECT_MAX 255
#define ACTOR_MAX   255

/* A client that comes back by itself sends the header, to the address that it was given at first: so
 * the header is newer. */
static void run_stream(struct tc_call *call)
{
	const struct tc_auth_options *options = tc_auth_get_options(tc_call_app(call)->auth);
	const char *place = tc_call_string(call, "Last-Event-ID");
	char client[TC_AUTH_CLIENT_SIZE];

	if (!place)
		place = tc_call_string(call, "lastEventId");
	tc_auth_client_format(tc_call_address(call),
			      options->trust_proxy ? tc_call_forwarded(call) : NULL, client);
	tc_event_live_open(tc_call_app(call)->live, call, place, client);
}

static void run_list_audit(struct tc_call *call)
{
	const struct tc_event_audit_filter filter = {
		.subject = tc_call_string(call, "subject"),
		.actor = tc_call_string(call, "actor"),
		.cursor = tc_call_string(call, "cursor"),
		.limit = (unsigned)tc_call_integer(call, "limit", TC_EVENT_AUDIT_DEFAULT),
	};
	struct tocsin_error error;
	TC_BUFFER json = {0};
	int result = tc_event_audit_list(tc_call_app(call)->work_pool, &filter, &json, &error);

	tc_reply_result(call, result, 200, &json, &error);
}

static const struct tc_field stream_fields[] = {
	{.name = "Last-Event-ID",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_HEADER,
	 .min = 1,
	 .max = PLACE_MAX,
	 .description = "Begin after the event with this id; without one, begin now"},
	{.name = "lastEventId",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = PLACE_MAX,
	 .description = "The same for clients that cannot set headers"},
	{.type = TC_FIELD_END},
};

static const struct tc_field audit_fields[] = {
	{.name = "subject",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = SUBJECT_MAX,
	 .description = "Only changes of the thing with this id"},
	{.name = "actor",
	 .type = TC_FIELD_STRING,
	 .place = TC_IN_QUERY,
	 .min = 1,
	 .max = ACTOR_MAX,
	 .description = "Only changes that this one made: key:ID, user:ID, source:ID, "
			"source:alertmanager, cli:NAME"},
	TC_FIELD_LIST_LIMIT(TC_EVENT_AUDIT_MAX, "Most entries in the answer; 50 unless given"),
	TC_FIELD_LIST_CURSOR,
	{.type = TC_FIELD_END},
};

const struct tc_procedure tc_event_procedures[] = {
	{.name = "streamEvents",
	 .method = TC_GET,
	 .path = "/api/v1/events",
	 .rule = TC_RULE_INCIDENT_READ,
	 .run_on = TC_RUN_INLINE,
	 .flags = TC_CLIENT_KNOWN | TC_STREAMS,
	 .fields = stream_fields,
	 .run = run_stream,
	 .content_type = TC_HTTP_STREAM_TYPE,
	 .refuses = "429",
	 .summary = "Streams what happens to incidents, as server-sent events"},
	{.name = "listAuditTrail",
	 .method = TC_GET,
	 .path = "/api/v1/audit",
	 .rule = TC_RULE_AUDIT_READ,
	 .run_on = TC_RUN_WORK,
	 .fields = audit_fields,
	 .run = run_list_audit,
	 .answers = "200 AuditPage",
	 .summary = "Lists who changed what and when, newest first"},
	{.name = NULL},
};
