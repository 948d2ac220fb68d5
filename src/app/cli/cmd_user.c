/* app/cli/cmd_user.c: tocsin user create, list, delete, passwd: straight to the database; the first admin is
 * made here. */
#include "app/cli/direct.h"
#include "app/cli/password.h"
#include "modules/auth/auth.h"
#include "modules/auth/auth_password.h"
#include "modules/auth/auth_user.h"
#include <sodium.h>

TC_DEFINE_CLEANUP(char *, tc_password_free);

/* What one of the commands is to do, and its options. */
struct request {
	const struct tc_command *command;
	const char *name, *role;
	bool json, password_stdin;
	char password_hash[TC_AUTH_PASSWORD_HASH_SIZE];
};

static const char list_usage[] = "one NAME is needed; tocsin user list shows them";

/* Options, and the name, which every command but list needs: `usage` says so. */
static int read_arguments(struct request *request, int argc, char **argv,
			  const struct option *options, const char *usage)
{
	int option, status = TC_EXIT_OK;

	while ((option = tc_command_option(request->command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status ? status : -1; /* -1: help was asked for and given */
		if (option == 'r')
			request->role = optarg;
		else if (option == 'p')
			request->password_stdin = true;
		else
			request->json = true;
	}
	if (optind + 1 != argc)
		return tc_command_misused(request->command, "%s", usage);
	request->name = argv[optind];
	return TC_EXIT_OK;
}

/* What read_arguments said about ending early, as an exit status. */
static int early(int status)
{
	return status < 0 ? TC_EXIT_OK : status;
}

/* Before the database is opened: nobody types a password for nothing, and none waits for a person. */
static int read_password(struct request *request)
{
	TC_CLEANUP(tc_password_free) char *password = NULL;
	struct tocsin_error error;
	int result = TOCSIN_OK;

	if (sodium_init() < 0)
		result =
			tocsin_error_set(&error, TOCSIN_E_SYSTEM, "libsodium could not be started");
	if (result == TOCSIN_OK)
		result = tc_auth_user_check_name(request->name, &error);
	if (result == TOCSIN_OK)
		result = tc_password_read(request->password_stdin, &password, &error);
	if (result == TOCSIN_OK)
		result = tc_auth_password_hash(password, request->password_hash, &error);
	return result == TOCSIN_OK ? TC_EXIT_OK : tc_command_failed(request->command, &error);
}

/* --- create --- */

static int create(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	char actor[TC_DIRECT_ACTOR_SIZE];
	const struct tc_auth_user_request wanted = {.name = request->name,
						    .role = request->role,
						    .password_hash = request->password_hash,
						    .actor = actor};
	TC_BUFFER about = {0};
	int result;

	tc_direct_get_actor(actor);
	result = tc_auth_user_create(pool, &wanted, &about, error);
	return result ? result : tc_direct_print_made(&about, "id", NULL, request->json, error);
}

int tc_cmd_user_create(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"role", required_argument, NULL, 'r'},
						{"password-stdin", no_argument, NULL, 'p'},
						{"json", no_argument, NULL, 'j'},
						TC_HELP_OPTION,
						{0}};
	struct request request = {.command = command, .role = "manager"};
	int status = read_arguments(&request, argc, argv, options,
				    "one NAME is needed, for the user to log in with");

	if (status != TC_EXIT_OK)
		return early(status);
	if (!tc_auth_is_role(request.role))
		return tc_command_misused(command, "there is no role \"%s\"", request.role);
	status = read_password(&request);
	return status == TC_EXIT_OK ? tc_direct_run(command, create, &request) : status;
}

int tc_cmd_user_list(const struct tc_command *command, int argc, char **argv)
{
	static const struct tc_direct_list list = {tc_auth_user_list, TC_AUTH_USER_LIST_MAX,
						   "users"};

	return tc_direct_list(command, argc, argv, &list);
}

/* --- delete --- */

static int delete (void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	char id[37], actor[TC_DIRECT_ACTOR_SIZE];
	int result = tc_auth_user_find(pool, request->name, id, error);

	tc_direct_get_actor(actor);
	return result ? result : tc_auth_user_delete(pool, id, actor, error);
}

int tc_cmd_user_delete(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	struct request request = {.command = command};
	int status = read_arguments(&request, argc, argv, options, list_usage);

	if (status != TC_EXIT_OK)
		return early(status);
	return tc_direct_run(command, delete, &request);
}

/* --- passwd --- */

static int change(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	char id[37], actor[TC_DIRECT_ACTOR_SIZE];
	const struct tc_auth_user_request wanted = {.password_hash = request->password_hash,
						    .actor = actor};
	int result = tc_auth_user_find(pool, request->name, id, error);

	tc_direct_get_actor(actor);
	return result ? result : tc_auth_user_update(pool, id, &wanted, NULL, error);
}

int tc_cmd_user_passwd(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"password-stdin", no_argument, NULL, 'p'}, TC_HELP_OPTION, {0}};
	struct request request = {.command = command};
	int status = read_arguments(&request, argc, argv, options, list_usage);

	if (status != TC_EXIT_OK)
		return early(status);
	status = read_password(&request);
	return status == TC_EXIT_OK ? tc_direct_run(command, change, &request) : status;
}
