/* app/cmd_key.c: tocsin key create, list, revoke: straight to the database. */
#include "app/direct.h"
#include "modules/auth/auth.h"
#include <sodium.h>
#include <string.h>

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
	int result = tc_auth_create_key(pool, &wanted, key, &about, error);

	if (result == TOCSIN_OK)
		result = tc_direct_print_made(&about, "key", key, request->json, error);
	sodium_memzero(key, sizeof(key));
	return result;
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

int tc_cmd_key_list(const struct tc_command *command, int argc, char **argv)
{
	static const struct tc_direct_list list = {tc_auth_list_keys, TC_AUTH_LIST_MAX, "keys"};

	return tc_direct_list(command, argc, argv, &list);
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
