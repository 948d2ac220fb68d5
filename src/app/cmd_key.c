/* app/cmd_key.c: tocsin key create, list, revoke: straight to the database. */
#include "app/direct.h"
#include "modules/auth/auth.h"
#include <stdlib.h>
#include <string.h>

TC_DEFINE_CLEANUP(json_t *, json_decref);

/* What one of the commands is to do, and its options. */
struct request {
	const char *name, *role, *id;
	bool json;
};

/* --- create --- */

static int create(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	struct tc_auth_key_request wanted = {
		.name = request->name, .role = request->role, .actor = ""};
	char key[TC_AUTH_KEY_SIZE];
	TC_BUFFER about = {0};
	TC_CLEANUP(json_decref) json_t *value = NULL;
	int result = tc_auth_create_key(pool, &wanted, key, &about, error);

	if (result != TOCSIN_OK)
		return result;
	if (!request->json) {
		printf("%s\n", key);
		return TOCSIN_OK;
	}
	value = about.data ? json_loadb(about.data, about.length, 0, NULL) : NULL;
	if (!value || json_object_set_new(value, "key", json_string(key)) < 0)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	tc_command_print_json(value); /* a failure to write shows in tc_command_finish */
	return TOCSIN_OK;
}

int tc_cmd_key_create(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"role", required_argument, NULL, 'r'},
						{"json", no_argument, NULL, 'j'},
						TC_HELP_OPTION,
						{0}};
	struct request request = {.role = "manager"};
	int option, status = TC_EXIT_OK;
	const char *const *role = tc_auth_roles();

	while ((option = tc_command_option(command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status;
		if (option == 'r')
			request.role = optarg;
		else
			request.json = true;
	}
	if (optind + 1 != argc)
		return tc_command_misused(command,
					  "one NAME is needed, for people to know the key by");
	while (*role && strcmp(*role, request.role) != 0)
		role++;
	if (!*role)
		return tc_command_misused(command, "there is no role \"%s\"", request.role);
	request.name = argv[optind];
	return tc_direct_run(command, create, &request);
}

/* --- list --- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static void print_keys(const json_t *keys)
{
	size_t index;
	json_t *key;

	printf("%-36s  %-8s  %-24s  %-24s  %s\n", "ID", "ROLE", "CREATED", "REVOKED", "NAME");
	json_array_foreach(keys, index, key)
	{
		printf("%-36s  %-8s  %-24s  %-24s  %s\n", text_of(key, "id"), text_of(key, "role"),
		       text_of(key, "createdAt"), text_of(key, "revokedAt"), text_of(key, "name"));
	}
}

/* Every page, one after the other. */
static int list(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	TC_CLEANUP(json_decref) json_t *all = json_array();
	char cursor[64] = "";

	do {
		TC_BUFFER page = {0};
		TC_CLEANUP(json_decref) json_t *value = NULL;
		const char *next;
		int result = tc_auth_list_keys(pool, TC_AUTH_LIST_MAX, *cursor ? cursor : NULL,
					       &page, error);

		if (result != TOCSIN_OK)
			return result;
		value = page.data ? json_loadb(page.data, page.length, 0, NULL) : NULL;
		if (!value || json_array_extend(all, json_object_get(value, "keys")) < 0)
			return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
		next = json_string_value(json_object_get(value, "nextCursor"));
		snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
	} while (*cursor);
	if (request->json)
		tc_command_print_json(all);
	else
		print_keys(all);
	return TOCSIN_OK;
}

int tc_cmd_key_list(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, TC_HELP_OPTION, {0}};
	struct request request = {0};
	int option, status = TC_EXIT_OK;

	while ((option = tc_command_option(command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status;
		request.json = true;
	}
	if (optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	return tc_direct_run(command, list, &request);
}

/* --- revoke --- */

static int revoke(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;

	return tc_auth_revoke_key(pool, request->id, NULL, error);
}

int tc_cmd_key_revoke(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	struct request request = {0};
	int status = TC_EXIT_OK;

	if (tc_command_option(command, argc, argv, options, &status) != TC_OPTION_END)
		return status;
	if (optind + 1 != argc)
		return tc_command_misused(command, "one ID is needed; tocsin key list shows them");
	request.id = argv[optind];
	return tc_direct_run(command, revoke, &request);
}
