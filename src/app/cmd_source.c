/* app/cmd_source.c: tocsin source create, list, revoke: straight to the database. */
#include "app/direct.h"
#include "modules/alert/source.h"
#include <sodium.h>
#include <stdlib.h>

TC_DEFINE_CLEANUP(json_t *, json_decref);

/* What one of the commands is to do, and its options. */
struct request {
	const char *name, *id;
	bool json;
};

/* Commands whose only option is --json. False: the command is to end with *ret_status. */
static bool read_options(const struct tc_command *command, int argc, char **argv,
			 struct request *request, int *ret_status)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, TC_HELP_OPTION, {0}};
	int option;

	while ((option = tc_command_option(command, argc, argv, options, ret_status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return false;
		request->json = true;
	}
	return true;
}

/* --- create --- */

static int create(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	const struct tc_source_request wanted = {.name = request->name};
	char key[TC_SOURCE_KEY_SIZE];
	TC_BUFFER about = {0};
	TC_CLEANUP(json_decref) json_t *value = NULL;
	int result = tc_source_create(pool, &wanted, key, &about, error);

	if (result != TOCSIN_OK)
		return result;
	if (!request->json) {
		printf("%s\n", key);
		sodium_memzero(key, sizeof(key));
		return TOCSIN_OK;
	}
	value = about.data ? json_loadb(about.data, about.length, 0, NULL) : NULL;
	if (!value || json_object_set_new(value, "routingKey", json_string(key)) < 0)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	tc_command_print_json(value); /* a failure to write shows in tc_command_finish */
	sodium_memzero(key, sizeof(key));
	return TOCSIN_OK;
}

int tc_cmd_source_create(const struct tc_command *command, int argc, char **argv)
{
	struct request request = {0};
	int status = TC_EXIT_OK;

	if (!read_options(command, argc, argv, &request, &status))
		return status;
	if (optind + 1 != argc)
		return tc_command_misused(command,
					  "one NAME is needed, for people to know the source by");
	request.name = argv[optind];
	return tc_direct_run(command, create, &request);
}

/* --- list --- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static void print_sources(const json_t *sources)
{
	size_t index;
	json_t *source;

	printf("%-36s  %-24s  %-24s  %-24s  %s\n", "ID", "CREATED", "LAST USED", "REVOKED", "NAME");
	json_array_foreach(sources, index, source)
	{
		printf("%-36s  %-24s  %-24s  %-24s  %s\n", text_of(source, "id"),
		       text_of(source, "createdAt"), text_of(source, "lastUsedAt"),
		       text_of(source, "revokedAt"), text_of(source, "name"));
	}
}

/* Every page, one after the other. */
static int list(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;
	TC_CLEANUP(json_decref) json_t *all = json_array();
	char cursor[TC_UUID_SIZE] = "";

	do {
		TC_BUFFER page = {0};
		TC_CLEANUP(json_decref) json_t *value = NULL;
		const char *next;
		int result = tc_source_list(pool, TC_SOURCE_LIST_MAX, *cursor ? cursor : NULL,
					    &page, error);

		if (result != TOCSIN_OK)
			return result;
		value = page.data ? json_loadb(page.data, page.length, 0, NULL) : NULL;
		if (!value || json_array_extend(all, json_object_get(value, "sources")) < 0)
			return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
		next = json_string_value(json_object_get(value, "nextCursor"));
		snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
	} while (*cursor);
	if (request->json)
		tc_command_print_json(all);
	else
		print_sources(all);
	return TOCSIN_OK;
}

int tc_cmd_source_list(const struct tc_command *command, int argc, char **argv)
{
	struct request request = {0};
	int status = TC_EXIT_OK;

	if (!read_options(command, argc, argv, &request, &status))
		return status;
	if (optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	return tc_direct_run(command, list, &request);
}

/* --- revoke --- */

static int revoke(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct request *request = context;

	return tc_source_revoke(pool, request->id, NULL, error);
}

int tc_cmd_source_revoke(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	struct request request = {0};
	int status = TC_EXIT_OK;

	if (tc_command_option(command, argc, argv, options, &status) != TC_OPTION_END)
		return status;
	if (optind + 1 != argc)
		return tc_command_misused(command,
					  "one ID is needed; tocsin source list shows them");
	request.id = argv[optind];
	return tc_direct_run(command, revoke, &request);
}
