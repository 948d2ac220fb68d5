/* app/cli/cmd_source.c: tocsin source create, list, revoke: straight to the database. */
#include "app/cli/direct.h"
#include "modules/alert/source.h"
#include <sodium.h>

/* What is to be made, and how it is shown. */
struct request {
	const char *name;
	bool json;
};

static int create(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	char actor[TC_DIRECT_ACTOR_SIZE];
	const struct tc_source_request wanted = {.name = request->name, .actor = actor};
	char key[TC_SOURCE_KEY_SIZE];
	TC_BUFFER about = {0};
	int result;

	tc_direct_get_actor(actor);
	result = tc_source_create(pool, &wanted, key, &about, error);
	if (result == TOCSIN_OK)
		result = tc_direct_print_made(&about, "routingKey", key, request->json, error);
	sodium_memzero(key, sizeof(key));
	return result;
}

int tc_cmd_source_create(const struct tc_command *command, int argc, char **argv)
{
	struct request request = {0};
	int status = TC_EXIT_OK;

	if (!tc_command_json_option(command, argc, argv, &request.json, &status))
		return status;
	if (optind + 1 != argc)
		return tc_command_misused(command,
					  "one NAME is needed, for people to know the source by");
	request.name = argv[optind];
	return tc_direct_run(command, create, &request);
}

int tc_cmd_source_list(const struct tc_command *command, int argc, char **argv)
{
	static const struct tc_direct_list list = {tc_source_list, TC_SOURCE_LIST_MAX, "sources"};

	return tc_direct_list(command, argc, argv, &list);
}

int tc_cmd_source_revoke(const struct tc_command *command, int argc, char **argv)
{
	return tc_direct_revoke(command, argc, argv, tc_source_revoke,
				"one ID is needed; tocsin source list shows them");
}
