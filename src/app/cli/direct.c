/* app/cli/direct.c: see direct.h. */
#include "app/cli/direct.h"

#include "app/cli/remote.h"
#include "app/cli/show.h"
#include "app/config.h"
#include "app/database.h"
#include "app/pools.h"
#include "base/macro.h"
#include <pwd.h>
#include <stdint.h>
#include <unistd.h>

/* Cursors of what these commands list are UUIDs, or short. */
#define CURSOR_SIZE 64u

TC_DEFINE_CLEANUP(json_t *, json_decref);

static int with_pool(const struct tc_config *config, const struct tc_database *database,
		     tc_direct_fn run, void *context, struct tocsin_error *error)
{
	struct tocsin_pool *pool = NULL;
	int result = tc_database_migrate(database, NULL, error);

	if (result == TOCSIN_OK)
		result =
			tc_pools_new(&pool, config, database->conninfo, TOCSIN_POOL_WORK, 1, error);
	if (result == TOCSIN_OK)
		result = run(context, pool, error);
	tocsin_pool_free(pool);
	return result;
}

static int run_configured(const struct tc_command *command, const struct tc_config *config,
			  tc_direct_fn run, void *context)
{
	struct tc_database database;
	struct tocsin_error error;
	int result = tc_database_init(&database, config, TC_DATABASE_COMMAND, &error);

	if (result != TOCSIN_OK)
		return tc_command_failed_start(command, &error);
	result = with_pool(config, &database, run, context, &error);
	tc_database_deinit(&database);
	return result == TOCSIN_OK ? tc_command_finish() : tc_command_failed(command, &error);
}

int tc_direct_run(const struct tc_command *command, tc_direct_fn run, void *context)
{
	struct tc_config config;
	int status = tc_command_configure(command, &config);

	if (status != TC_EXIT_OK)
		return status;
	status = run_configured(command, &config, run, context);
	tc_config_deinit(&config);
	return status;
}

/* --- lists --- */

struct listing {
	const struct tc_command *command;
	const struct tc_direct_list *list;
	bool is_json;
};

/* The members of one page join `all`; `cursor` becomes that of the next, empty after the last. */
static int add_page(const struct tc_direct_list *list, struct tocsin_pool *pool, json_t *all,
		    char cursor[static CURSOR_SIZE], struct tocsin_error *error)
{
	TC_BUFFER page = {0};
	TC_CLEANUP(json_decref) json_t *value = NULL;
	const char *next;
	int result = list->read_page(pool, list->limit, *cursor ? cursor : NULL, &page, error);

	if (result != TOCSIN_OK)
		return result;
	value = page.data ? json_loadb(page.data, page.length, 0, NULL) : NULL;
	if (!value || json_array_extend(all, json_object_get(value, list->member)) < 0)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	next = json_string_value(json_object_get(value, "nextCursor"));
	snprintf(cursor, CURSOR_SIZE, "%s", next ? next : "");
	return TOCSIN_OK;
}

static int print_list(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct listing *listing = context;
	TC_CLEANUP(json_decref) json_t *all = json_array();
	char cursor[CURSOR_SIZE] = "";

	do {
		int result = add_page(listing->list, pool, all, cursor, error);

		if (result != TOCSIN_OK)
			return result;
	} while (*cursor);
	if (listing->is_json)
		tc_command_print_json(all); /* a failure to write shows in tc_command_finish */
	else
		tc_show_table(all, listing->command->remote->columns, true);
	return TOCSIN_OK;
}

int tc_direct_list(const struct tc_command *command, int argc, char **argv,
		   const struct tc_direct_list *list)
{
	struct listing listing = {.command = command, .list = list};
	int status = TC_EXIT_OK;

	if (!tc_command_only_json(command, argc, argv, &listing.is_json, &status))
		return status;
	return tc_direct_run(command, print_list, &listing);
}

/* --- who does it --- */

void tc_direct_get_actor(char ret_actor[static TC_DIRECT_ACTOR_SIZE])
{
	char names[1024]; /* what does not fit is a name that nobody could read either */
	struct passwd entry, *found = NULL;
	uid_t user = geteuid();

	if (getpwuid_r(user, &entry, names, sizeof(names), &found) == 0 && found)
		snprintf(ret_actor, TC_DIRECT_ACTOR_SIZE, "cli:%s", found->pw_name);
	else
		snprintf(ret_actor, TC_DIRECT_ACTOR_SIZE, "cli:%ju", (uintmax_t)user);
}

/* --- revoking --- */

struct revocation {
	tc_direct_revoke_fn revoke;
	const char *id;
};

static int run_revoke(void *context, struct tocsin_pool *pool, struct tocsin_error *error)
{
	const struct revocation *revocation = context;
	char actor[TC_DIRECT_ACTOR_SIZE];

	tc_direct_get_actor(actor);
	return revocation->revoke(pool, revocation->id, actor, error);
}

int tc_direct_revoke(const struct tc_command *command, int argc, char **argv,
		     tc_direct_revoke_fn revoke, const char *usage)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	struct revocation revocation = {.revoke = revoke};
	int status = TC_EXIT_OK;

	if (tc_command_option(command, argc, argv, options, &status) != TC_OPTION_END)
		return status;
	if (optind + 1 != argc)
		return tc_command_misused(command, "%s", usage);
	revocation.id = argv[optind];
	return tc_direct_run(command, run_revoke, &revocation);
}

/* --- what was made --- */

int tc_direct_print_made(const struct tc_buffer *about, const char *member, const char *secret,
			 bool is_json, struct tocsin_error *error)
{
	TC_CLEANUP(json_decref)
	json_t *value = about->data ? json_loadb(about->data, about->length, 0, NULL) : NULL;
	const char *text;

	if (!value || (secret && json_object_set_new(value, member, json_string(secret)) < 0))
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	text = json_string_value(json_object_get(value, member));
	if (is_json)
		tc_command_print_json(value);
	else
		printf("%s\n", text ? text : "");
	return TOCSIN_OK;
}
