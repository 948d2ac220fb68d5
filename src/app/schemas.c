/* app/schemas.c: see schemas.h. The documents are made by the modules' SQL; a system test holds real answers against
 * this table. */
#include "app/schemas.h"

static const char *const statuses[] = {"investigating", "identified", "fixing",
				       "monitoring",    "resolved",   NULL};
static const char *const severities[] = {"minor", "major", "critical", NULL};
static const char *const healths[] = {"degraded", "unhealthy", NULL};
static const char *const visibilities[] = {"public", "logged_in", "internal", NULL};
static const char *const outcomes[] = {"resolved", "deleted", "unchanged",
				       "notFound", "failed",  NULL};

#define OPTIONAL TC_MEMBER_OPTIONAL
#define MANY     TC_MEMBER_MANY
#define MAP      TC_MEMBER_MAP

/* After the one member that is the list. */
static const struct tc_member page_members[] = {
	{.name = "nextCursor",
	 .type = TC_FIELD_STRING,
	 .flags = OPTIONAL,
	 .description = "Where the next page begins; absent on the last"},
	{.name = NULL},
};

static const struct tc_member incident_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "title", .type = TC_FIELD_STRING},
	{.name = "description", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "status", .type = TC_FIELD_ENUM, .choices = statuses},
	{.name = "severity", .type = TC_FIELD_ENUM, .choices = severities},
	{.name = "suppressNotifications", .type = TC_FIELD_BOOLEAN},
	{.name = "healthOverride", .type = TC_FIELD_ENUM, .flags = OPTIONAL, .choices = healths},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "updatedAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "resolvedAt",
	 .type = TC_FIELD_TIMESTAMP,
	 .flags = OPTIONAL,
	 .description = "While it is resolved"},
	{.name = "systemIds", .type = TC_FIELD_STRING, .flags = MANY},
	{.name = NULL},
};
static const struct tc_member update_version_members[] = {
	{.name = "message", .type = TC_FIELD_STRING},
	{.name = "statusChange", .type = TC_FIELD_ENUM, .flags = OPTIONAL, .choices = statuses},
	{.name = "visibility", .type = TC_FIELD_ENUM, .choices = visibilities},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "editedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member update_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "incidentId", .type = TC_FIELD_UUID},
	{.name = "message", .type = TC_FIELD_STRING},
	{.name = "statusChange", .type = TC_FIELD_ENUM, .flags = OPTIONAL, .choices = statuses},
	{.name = "visibility", .type = TC_FIELD_ENUM, .choices = visibilities},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "editedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = "editHistory",
	 .schema = "UpdateVersion",
	 .flags = OPTIONAL | MANY,
	 .description = "Earlier versions, oldest first; for those who manage incidents"},
	{.name = "createdBy", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "createdByName", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member link_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "incidentId", .type = TC_FIELD_UUID},
	{.name = "label", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "url", .type = TC_FIELD_STRING},
	{.name = "visibility", .type = TC_FIELD_ENUM, .choices = visibilities},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = NULL},
};
static const struct tc_member incident_detail_members[] = {
	{.name = "updates", .schema = "Update", .flags = MANY, .description = "Oldest first"},
	{.name = "links", .schema = "Link", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member opened_incident_members[] = {
	{.name = "incident", .schema = "Incident"},
	{.name = "reused", .type = TC_FIELD_BOOLEAN, .description = "It was open before"},
	{.name = NULL},
};
static const struct tc_member incident_page_members[] = {
	{.name = "incidents", .schema = "Incident", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member incident_state_members[] = {
	{.name = "status", .type = TC_FIELD_ENUM, .choices = statuses},
	{.name = "severity", .type = TC_FIELD_ENUM, .choices = severities},
	{.name = "systemIds", .type = TC_FIELD_STRING, .flags = MANY},
	{.name = NULL},
};
static const struct tc_member incident_refs_members[] = {
	{.name = "ids", .type = TC_FIELD_UUID, .flags = MANY},
	{.name = NULL},
};
static const struct tc_member incident_updates_members[] = {
	{.name = "updates", .schema = "Update", .flags = MANY | MAP},
	{.name = NULL},
};
static const struct tc_member incidents_by_system_members[] = {
	{.name = "incidents", .schema = "Incident", .flags = MANY | MAP},
	{.name = "truncated", .type = TC_FIELD_BOOLEAN, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member health_override_members[] = {
	{.name = "status", .type = TC_FIELD_ENUM, .choices = healths},
	{.name = "incidentId", .type = TC_FIELD_UUID},
	{.name = "incidentTitle", .type = TC_FIELD_STRING},
	{.name = NULL},
};
static const struct tc_member health_overrides_members[] = {
	{.name = "overrides", .schema = "HealthOverride", .flags = MAP},
	{.name = NULL},
};
static const struct tc_member bulk_outcome_members[] = {
	{.name = "id", .type = TC_FIELD_STRING},
	{.name = "outcome", .type = TC_FIELD_ENUM, .choices = outcomes},
	{.name = "detail", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member bulk_result_members[] = {
	{.name = "results", .schema = "BulkOutcome", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member suppression_members[] = {
	{.name = "suppressed", .type = TC_FIELD_BOOLEAN},
	{.name = NULL},
};
static const struct tc_member system_members[] = {
	{.name = "id", .type = TC_FIELD_STRING},
	{.name = "name", .type = TC_FIELD_STRING},
	{.name = "description", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "discovered",
	 .type = TC_FIELD_BOOLEAN,
	 .description = "An incident named it before anybody registered it"},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "updatedAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "groupIds", .type = TC_FIELD_UUID, .flags = MANY},
	{.name = NULL},
};
static const struct tc_member system_contact_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "systemId", .type = TC_FIELD_STRING},
	{.name = "type", .type = TC_FIELD_STRING},
	{.name = "value", .type = TC_FIELD_STRING},
	{.name = "label", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = NULL},
};
static const struct tc_member system_link_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "systemId", .type = TC_FIELD_STRING},
	{.name = "label", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "url", .type = TC_FIELD_STRING},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = NULL},
};
static const struct tc_member system_detail_members[] = {
	{.name = "contacts",
	 .schema = "SystemContact",
	 .flags = OPTIONAL | MANY,
	 .description = "For callers who are known"},
	{.name = "links", .schema = "SystemLink", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member system_page_members[] = {
	{.name = "systems", .schema = "System", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member group_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "name", .type = TC_FIELD_STRING},
	{.name = "description", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "updatedAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "systemCount", .type = TC_FIELD_INTEGER},
	{.name = NULL},
};
static const struct tc_member group_page_members[] = {
	{.name = "groups", .schema = "Group", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member api_key_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "name", .type = TC_FIELD_STRING},
	{.name = "role", .type = TC_FIELD_STRING},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "createdBy", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "lastUsedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = "revokedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member new_api_key_members[] = {
	{.name = "key", .type = TC_FIELD_STRING},
	{.name = NULL},
};
static const struct tc_member api_key_page_members[] = {
	{.name = "keys", .schema = "ApiKey", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member user_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "name", .type = TC_FIELD_STRING},
	{.name = "role", .type = TC_FIELD_STRING},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "createdBy", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "updatedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = "lastLoginAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member user_page_members[] = {
	{.name = "users", .schema = "User", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member caller_members[] = {
	{.name = "kind", .type = TC_FIELD_STRING},
	{.name = "rules", .type = TC_FIELD_STRING, .flags = MANY},
	{.name = "id", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "name", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "role", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "csrfToken", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "expiresAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member source_members[] = {
	{.name = "id", .type = TC_FIELD_UUID},
	{.name = "name", .type = TC_FIELD_STRING},
	{.name = "createdAt", .type = TC_FIELD_TIMESTAMP},
	{.name = "createdBy", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = "lastUsedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = "revokedAt", .type = TC_FIELD_TIMESTAMP, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member new_source_members[] = {
	{.name = "routingKey", .type = TC_FIELD_STRING},
	{.name = NULL},
};
static const struct tc_member source_page_members[] = {
	{.name = "sources", .schema = "Source", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member alerts_received_members[] = {
	{.name = "received", .type = TC_FIELD_INTEGER},
	{.name = "opened", .type = TC_FIELD_INTEGER},
	{.name = "joined", .type = TC_FIELD_INTEGER},
	{.name = "repeated", .type = TC_FIELD_INTEGER},
	{.name = "resolved", .type = TC_FIELD_INTEGER},
	{.name = "dropped", .type = TC_FIELD_INTEGER},
	{.name = NULL},
};
static const struct tc_member pager_duty_reply_members[] = {
	{.name = "status", .type = TC_FIELD_STRING},
	{.name = "message", .type = TC_FIELD_STRING},
	{.name = "dedup_key", .type = TC_FIELD_STRING},
	{.name = NULL},
};
static const struct tc_member pager_duty_refusal_members[] = {
	{.name = "status", .type = TC_FIELD_STRING},
	{.name = "message", .type = TC_FIELD_STRING},
	{.name = "errors", .type = TC_FIELD_STRING, .flags = MANY, .description = "Why"},
	{.name = NULL},
};
static const struct tc_member audit_entry_members[] = {
	{.name = "id", .type = TC_FIELD_STRING},
	{.name = "at", .type = TC_FIELD_TIMESTAMP},
	{.name = "kind", .type = TC_FIELD_STRING},
	{.name = "subject", .type = TC_FIELD_STRING},
	{.name = "action", .type = TC_FIELD_STRING},
	{.name = "systemIds", .type = TC_FIELD_STRING, .flags = MANY},
	{.name = "previous",
	 .type = TC_FIELD_ANY,
	 .flags = OPTIONAL,
	 .description =
		 "What it was before, an object; of an incident: status, severity, and what it "
		 "is about: title, updateId, linkId, ..."},
	{.name = "next",
	 .type = TC_FIELD_ANY,
	 .flags = OPTIONAL,
	 .description = "The same after the change"},
	{.name = "actor", .type = TC_FIELD_STRING, .flags = OPTIONAL},
	{.name = NULL},
};
static const struct tc_member audit_page_members[] = {
	{.name = "entries", .schema = "AuditEntry", .flags = MANY},
	{.name = NULL},
};
static const struct tc_member status_members[] = {
	{.name = "status", .type = TC_FIELD_STRING},
	{.name = NULL},
};
static const struct tc_member problem_error_members[] = {
	{.name = "pointer",
	 .type = TC_FIELD_STRING,
	 .description = "JSON pointer into the body, or the name of a parameter or header"},
	{.name = "detail", .type = TC_FIELD_STRING},
	{.name = NULL},
};
static const struct tc_member problem_members[] = {
	{.name = "type", .type = TC_FIELD_STRING},
	{.name = "title", .type = TC_FIELD_STRING},
	{.name = "status", .type = TC_FIELD_INTEGER},
	{.name = "detail", .type = TC_FIELD_STRING},
	{.name = "errors", .schema = "ProblemError", .flags = OPTIONAL | MANY},
	{.name = NULL},
};

const struct tc_schema tc_schemas[] = {
	{"Incident", "An incident, as lists show it", incident_members, NULL, NULL},
	{"UpdateVersion", "An update as it was before an edit", update_version_members, NULL, NULL},
	{"Update", "Something said about an incident", update_members, NULL, NULL},
	{"Link", "A link of an incident", link_members, NULL, NULL},
	{"IncidentDetail", "An incident with what belongs to it, as far as the caller may see it",
	 incident_members, incident_detail_members, NULL},
	{"OpenedIncident", "Of a deduped create", opened_incident_members, NULL, NULL},
	{"IncidentPage", "Newest first", incident_page_members, page_members, NULL},
	{"IncidentState", "Where an incident stands", incident_state_members, NULL, NULL},
	{"IncidentStates", "By id", NULL, NULL, "IncidentState"},
	{"IncidentRefs", "Those that exist", incident_refs_members, NULL, NULL},
	{"IncidentUpdates", "By incident, oldest first", incident_updates_members, NULL, NULL},
	{"IncidentsBySystem", "By system, newest first", incidents_by_system_members, NULL, NULL},
	{"HealthOverride", "What an open incident says the health of a system is",
	 health_override_members, NULL, NULL},
	{"HealthOverrides", "By system", health_overrides_members, NULL, NULL},
	{"BulkOutcome", "What became of one id", bulk_outcome_members, NULL, NULL},
	{"BulkResult", "In the order of the ids", bulk_result_members, NULL, NULL},
	{"Suppression", "Whether notifications are held back", suppression_members, NULL, NULL},
	{"System", "A system of the catalog", system_members, NULL, NULL},
	{"SystemContact", "Whom to ask about a system", system_contact_members, NULL, NULL},
	{"SystemLink", "A link of a system", system_link_members, NULL, NULL},
	{"SystemDetail", "A system with what belongs to it", system_members, system_detail_members,
	 NULL},
	{"SystemPage", "Newest first", system_page_members, page_members, NULL},
	{"Group", "A group of systems", group_members, NULL, NULL},
	{"GroupPage", "Newest first", group_page_members, page_members, NULL},
	{"ApiKey", "An API key, without its secret", api_key_members, NULL, NULL},
	{"NewApiKey", "An API key with its secret, which is shown once", new_api_key_members,
	 api_key_members, NULL},
	{"ApiKeyPage", "Newest first", api_key_page_members, page_members, NULL},
	{"User", "Somebody who can log in", user_members, NULL, NULL},
	{"UserPage", "Newest first", user_page_members, page_members, NULL},
	{"Caller", "Who calls, and what the caller may do", caller_members, NULL, NULL},
	{"Source", "A tool that sends alerts, without its routing key", source_members, NULL, NULL},
	{"NewSource", "A source with its routing key, which is shown once", new_source_members,
	 source_members, NULL},
	{"SourcePage", "Newest first", source_page_members, page_members, NULL},
	{"AlertsReceived", "What became of alerts", alerts_received_members, NULL, NULL},
	{"PagerDutyReply", "As PagerDuty answers", pager_duty_reply_members, NULL, NULL},
	{"PagerDutyRefusal", "As PagerDuty refuses", pager_duty_refusal_members, NULL, NULL},
	{"AuditEntry", "Who changed what", audit_entry_members, NULL, NULL},
	{"AuditPage", "Newest first", audit_page_members, page_members, NULL},
	{"Status", "How the server is", status_members, NULL, NULL},
	{"ProblemError", "A mistake in the input", problem_error_members, NULL, NULL},
	{"Problem", "What went wrong (RFC 9457)", problem_members, NULL, NULL},
	{.name = NULL},
};
