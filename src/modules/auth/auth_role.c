/* modules/auth/auth_role.c: see auth_role.h. */
#include "modules/auth/auth_role.h"

#include "modules/auth/auth.h"
#include <stdio.h>
#include <string.h>

#define MANAGER_RULES                                                                              \
	(TC_AUTH_DEFAULT_RULES | TC_RULE_INCIDENT_MANAGE | TC_RULE_SYSTEM_MANAGE |                 \
	 TC_RULE_SOURCE_MANAGE)

const struct tc_auth_role tc_auth_role_table[] = {
	{"admin", MANAGER_RULES | TC_RULE_KEY_MANAGE | TC_RULE_USER_MANAGE | TC_RULE_AUDIT_READ,
	 "Everything, keys and users included"},
	{"manager", MANAGER_RULES, "Works on incidents, systems and alert sources"},
	{"viewer", TC_AUTH_DEFAULT_RULES, "Reads what people who are logged in may see"},
	{0},
};

const char *const *tc_auth_roles(void)
{
	static const char *const names[] = {"admin", "manager", "viewer", NULL};

	return names;
}

bool tc_auth_is_role(const char *name)
{
	return tc_auth_role_find(name) != NULL;
}

const struct tc_auth_role *tc_auth_role_find(const char *name)
{
	for (const struct tc_auth_role *role = tc_auth_role_table; role->name; role++)
		if (strcmp(role->name, name) == 0)
			return role;
	return NULL;
}

/* The longest name, 100 characters, may have more bytes than fit: it is cut between characters. */
static void copy_name(char *ret_text, size_t size, const char *name)
{
	size_t length = strlen(name);

	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(ret_text, name, length);
	ret_text[length] = '\0';
}

static void fill(struct tc_caller *ret_caller, const char *kind, const char *id, const char *name,
		 const char *role_name)
{
	const struct tc_auth_role *role = tc_auth_role_find(role_name);

	*ret_caller = (struct tc_caller){.rules = role ? role->rules : TC_RULE_NONE,
					 .role = role ? role->name : NULL};
	snprintf(ret_caller->id, sizeof(ret_caller->id), "%s:%s", kind, id);
	copy_name(ret_caller->name, sizeof(ret_caller->name), name);
}

void tc_auth_role_fill_key(struct tc_caller *ret_caller, const char *id, const char *name,
			   const char *role)
{
	fill(ret_caller, "key", id, name, role);
}

void tc_auth_role_fill_user(struct tc_caller *ret_caller, const char *id, const char *name,
			    const char *role)
{
	fill(ret_caller, "user", id, name, role);
}
