/* modules/incident/incident_create.c: procedure createIncident. It runs inline: a deduped create goes to
 * the creator without a thread of the work executor, a plain one to that executor. */
#include "core/app.h"
#include "modules/incident/creator.h"
#include "modules/incident/incident.h"
#include "modules/incident/incident_api.h"

static void run_plain(struct tc_job *job)
{
	struct tc_call *call = tc_call_from_job(job);
	struct tc_app *app = tc_call_app(call);
	struct tc_incident_request request;
	struct tocsin_error error;
	TC_BUFFER json = {0};
	bool is_refused = false;
	int r = tc_incident_request_init(&request, call, &error);

	if (r) {
		tc_call_reply_error(call, &error);
		return;
	}
	r = tc_incident_open(app->work_pool, &request.draft, app->reject_unknown_systems, &json,
			     &is_refused, &error);
	if (r)
		tc_call_reply_error(call, &error);
	else if (is_refused)
		tc_incident_refuse_systems(call, json.data);
	else
		tc_call_reply_buffer(call, 201, &json);
	tc_incident_request_deinit(&request);
}

void tc_incident_create_run(struct tc_call *call)
{
	struct tc_app *app = tc_call_app(call);

	if (tc_call_boolean(call, "dedupeOpenForSystem", false)) {
		tc_incident_creator_submit(app->creator, call);
		return;
	}
	tc_call_submit(call, app->work, run_plain);
}
