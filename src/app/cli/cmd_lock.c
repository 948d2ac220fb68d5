/* app/cli/cmd_lock.c: tocsin lock run: a command on one machine of many, like flock across a database. */
#include "app/cli/command.h"
#include "app/cli/guard.h"
#include "app/cli/lock_wait.h"
#include "app/config.h"
#include "app/database.h"
#include "app/pools.h"
#include "base/memory.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/* One for the session lock, one for waiting. */
#define CONNECTIONS 2u
/* What fits together with the name of a turnstile. */
#define KEY_MAX (TOCSIN_LOCK_KEY_MAX - 24)

struct request {
	const struct tc_command *command;
	const char *key;
	char **argv;
	bool no_wait, has_timeout;
	unsigned timeout_ms;
};

TC_DEFINE_CLEANUP(struct tocsin_pool *, tocsin_pool_free);
TC_DEFINE_CLEANUP(struct tocsin_locks *, tocsin_locks_free);
TC_DEFINE_CLEANUP(struct tocsin_session *, tocsin_session_free);

/* On the service's driver thread. */
static void tell_lost(struct tocsin_session *session, void *userdata)
{
	const int *lost_fd = userdata;

	(void)session;
	eventfd_write(*lost_fd, 1); /* cannot fail: the counter is far from full */
}

/* Waits for the key, runs the command, lets the key go; *ret_status is the exit status. */
static int run_held(const struct request *request, const struct tc_config *config,
		    const char *conninfo, int *ret_status, struct tocsin_error *error)
{
	TC_CLOSE int lost_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	TC_CLEANUP(tocsin_pool_free) struct tocsin_pool *pool = NULL;
	TC_CLEANUP(tocsin_locks_free) struct tocsin_locks *locks = NULL;
	TC_CLEANUP(tocsin_session_free) struct tocsin_session *session = NULL;
	struct tocsin_locks_options options = {.wait_timeout_ms = config->lock_timeout_ms};
	struct tc_lock_wait wait = {.key = request->key,
				    .is_patient = !request->no_wait,
				    .has_timeout = request->has_timeout,
				    .timeout_ms = request->timeout_ms,
				    .lost = tell_lost,
				    .userdata = &lost_fd};
	bool lost = false;
	int result;

	if (lost_fd < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot make an eventfd: %s",
					strerror(errno));
	result = tc_pools_new(&pool, config, conninfo, TOCSIN_POOL_LOCK, CONNECTIONS, error);
	options.lock_pool = wait.pool = pool;
	if (result == TOCSIN_OK)
		result = tocsin_locks_new(&locks, &options, error);
	if (result == TOCSIN_OK)
		result = tc_lock_wait(locks, &wait, &session, error);
	if (result == TOCSIN_OK)
		result = tc_guard_run(request->argv, lost_fd, ret_status, &lost, error);
	if (result == TOCSIN_OK && lost) {
		tc_command_say("tocsin lock run: the lock on '%s' was lost while the command ran; "
			       "it was told to stop",
			       request->key);
		*ret_status = TC_EXIT_LOST;
	}
	return result;
}

static int run(const struct request *request, const struct tc_config *config)
{
	struct tc_database database;
	struct tocsin_error error;
	int status = TC_EXIT_FAILED;
	int result = tc_database_init(&database, config, TC_DATABASE_COMMAND, &error);

	if (result != TOCSIN_OK)
		return tc_command_failed_start(request->command, &error);
	result = run_held(request, config, database.conninfo, &status, &error);
	tc_database_deinit(&database);
	if (result == TOCSIN_E_LOCK_BUSY || result == TOCSIN_E_LOCK_TIMEOUT) {
		tc_command_say("tocsin lock run: '%s' is held by somebody else", request->key);
		return TC_EXIT_BUSY;
	}
	return result == TOCSIN_OK ? status : tc_command_failed(request->command, &error);
}

int tc_cmd_lock_run(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {{"no-wait", no_argument, NULL, 'n'},
						{"timeout", required_argument, NULL, 't'},
						TC_HELP_OPTION,
						{0}};
	struct request request = {.command = command};
	struct tc_config config;
	int option, status = TC_EXIT_OK;

	while ((option = tc_command_option(command, argc, argv, options, &status)) !=
	       TC_OPTION_END) {
		if (option == TC_OPTION_EXIT)
			return status;
		if (option == 'n') {
			request.no_wait = true;
			continue;
		}
		request.has_timeout = true;
		if (!tc_command_parse_seconds(optarg, &request.timeout_ms))
			return tc_command_misused(
				command, "--timeout: \"%s\" is not a number of seconds", optarg);
	}
	if (argc - optind < 3 || strcmp(argv[optind + 1], "--") != 0)
		return tc_command_misused(command, "KEY -- COMMAND is needed");
	request.key = argv[optind];
	request.argv = argv + optind + 2;
	if (!*request.key || strlen(request.key) > KEY_MAX)
		return tc_command_misused(command, "a KEY has 1 to %d bytes", KEY_MAX);
	status = tc_command_configure(command, &config);
	if (status != TC_EXIT_OK)
		return status;
	status = run(&request, &config);
	tc_config_deinit(&config);
	return status;
}
