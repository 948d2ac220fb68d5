/* modules/auth/auth_role.h: roles: names for sets of rules (core/procedure/procedure.h). Pure. */
#pragma once

#include "core/procedure/procedure.h"

/* Rules that every caller has, with or without a key or a session, unless anonymous reading is off. */
#define TC_AUTH_DEFAULT_RULES (TC_RULE_INCIDENT_READ | TC_RULE_SYSTEM_READ)

struct tc_auth_role {
	const char *name;
	uint32_t rules;
	const char *description;
};

/* Ends with a row whose name is NULL. */
extern const struct tc_auth_role tc_auth_role_table[];

/* NULL for a role this program does not know, which has no rules: a newer node may have made it. */
const struct tc_auth_role *tc_auth_role_find(const char *name);

/* The caller that a key, or a user, is; names are copied, cut where they do not fit. Everything of a session
 * is left empty. */
void tc_auth_role_fill_key(struct tc_caller *ret_caller, const char *id, const char *name,
			   const char *role);
void tc_auth_role_fill_user(struct tc_caller *ret_caller, const char *id, const char *name,
			    const char *role);
