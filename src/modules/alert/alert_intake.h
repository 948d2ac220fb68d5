/* modules/alert/alert_intake.h: the intake's inside, for the files of this module. */
#pragma once

#include "modules/alert/alert.h"
#include "modules/alert/alert_batch.h"
#include "modules/alert/alertmanager.h"
#include <stdatomic.h>

struct tc_alert_intake {
	struct tc_batcher *batcher;
	struct tc_alert_labels labels;
	struct tc_alert_policy policy;
	_Atomic uint64_t outcomes[TC_ALERT_OUTCOME_COUNT]; /* alerts by what became of them */
	_Atomic uint64_t incidents_resolved;
};

/* Hands a request's alerts to the batcher. Takes the request over: it is answered and freed when the
 * last alert is finished, perhaps before this returns. Does not block. */
void tc_alert_intake_submit(struct tc_alert_intake *intake, struct tc_alert_request *request);
