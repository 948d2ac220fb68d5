/* app/cli/cmd_key.c: tocsin key create, list, revoke: straight to the database. */
#include "app/cli/direct.h"
#include "modules/auth/auth.h"
#include <sodium.h>

/* What is to be made, and how it is shown. */
struct request {
	const char *name, *role;
	bool json;
};

static int create(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	char actor[TC_DIRECT_ACTOR_SIZE];
	struct tc_auth_key_request wanted = {
		.name = request->name, .role = request->role, .actor = actor};
	char key[TC_AUTH_KEY_SIZE];
	TC_BUFFER about = {0};
	int result;

	tc_direct_get_actor(actor);
	result = tc_auth_create_key(pool, &wanted, key, &about, error);
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
	if (!tc_auth_is_role(request.role))
		return tc_command_misused(command, "there is no role \"%s\"", request.role);
	request.name = argv[optind];
	return tc_direct_run(command, create, &request);
}

int tc_cmd_key_list(const struct tc_command *command, int argc, char **argv)
{
	static const struct tc_direct_list list = {tc_auth_list_keys, TC_AUTH_LIST_MAX, "keys"};

	return tc_direct_list(command, argc, argv, &list);
}

int tc_cmd_key_revoke(const struct tc_command *command, int argc, char **argv)
{
	return tc_direct_revoke(command, argc, argv, tc_auth_revoke_key,
				"one ID is needed; tocsin key list shows them");
}
