/* core/procedure/rule.c: the access rules by name. */
#include "core/procedure/procedure.h"

const struct tc_rule tc_rules[] = {
	{TC_RULE_INCIDENT_READ, "incident.incident.read", "Read incidents"},
	{TC_RULE_INCIDENT_MANAGE, "incident.incident.manage", "Open, change and delete incidents"},
	{TC_RULE_SYSTEM_READ, "catalog.system.read", "Read systems and groups"},
	{TC_RULE_SYSTEM_MANAGE, "catalog.system.manage", "Change systems and groups"},
	{TC_RULE_SOURCE_MANAGE, "alert.source.manage", "Manage the tools that send alerts"},
	{TC_RULE_KEY_MANAGE, "auth.key.manage", "Make and revoke API keys"},
	{TC_RULE_USER_MANAGE, "auth.user.manage", "Make, change and delete users"},
	{TC_RULE_AUDIT_READ, "event.audit.read", "Read who changed what"},
	{0},
};
