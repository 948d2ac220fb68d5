/* app/cli/cmd_serve.c: tocsin serve: signals, and what people are told; server.c does the rest.
 *
 * Signals. While PostgreSQL is started a signal ends the process at once, and PostgreSQL with it; that is
 * safe at any moment, and does not make people wait for a recovery. From then on they are blocked in
 * all threads; the main thread waits for one, and stops in order. A second one ends the process at once. */
#include "app/cli/command.h"
#include "app/server.h"
#include "app/version.h"
#include "base/log.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#if TC_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* As many descriptors as the system lets us have: each connection is one. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		tc_log_info("serve.limits", "the limit of open files stays as it is");
}

/* For systemd, if it started us. */
static void notify(const char *state)
{
#if TC_HAVE_SYSTEMD
	int result = sd_notify(0, state);

	if (result < 0)
		tc_log_warning("serve.notify", "cannot tell systemd \"%s\": %s", state,
			       strerror(-result));
#else
	(void)state;
#endif
}

static void welcome(const struct tc_server *server)
{
	const struct tc_config *config = server->config;

	printf("Tocsin %s listens on %s\n", TC_VERSION, tc_http_server_url(server->http));
	if (config->database_url)
		printf("Its data lives in the database of DATABASE_URL\n");
	else
		printf("Its data lives in %s\n", config->data_directory);
	if (fflush(stdout) != 0)
		tc_log_warning("serve.output", "cannot write to standard output");
}

static void wait_for_signal(const sigset_t *signals)
{
	int number = 0;

	sigwait(signals, &number); /* fails only for a set that holds no signal */
	tc_log_info("serve.stopping", "stopping (%s)", sigabbrev_np(number));
	pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static int serve(const struct tc_command *command, const struct tc_config *config)
{
	struct tc_server server = {.listen_fd = -1};
	struct tocsin_error error;
	sigset_t signals;
	int result;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of write, not our end */
	raise_limits();
	result = tc_server_open_database(&server, config, &error);
	if (result == TOCSIN_OK) {
		pthread_sigmask(SIG_BLOCK, &signals,
				NULL); /* before there are threads that serve */
		result = tc_server_open(&server, &error);
	}
	if (result == TOCSIN_OK) {
		welcome(&server);
		notify("READY=1");
		wait_for_signal(&signals);
		notify("STOPPING=1");
	}
	tc_server_close(&server);
	if (result != TOCSIN_OK) {
		tc_command_failed(command, &error);
		return server.is_setting_bad ? TC_EXIT_CONFIG : TC_EXIT_FAILED;
	}
	tc_log_info("serve.stopped", "stopped");
	return TC_EXIT_OK;
}

int tc_cmd_serve(const struct tc_command *command, int argc, char **argv)
{
	static const struct option options[] = {TC_HELP_OPTION, {0}};
	struct tc_config config;
	int status = TC_EXIT_OK;

	if (tc_command_option(command, argc, argv, options, &status) != TC_OPTION_END)
		return status;
	if (optind < argc)
		return tc_command_misused(command, "there is one argument too many: %s",
					  argv[optind]);
	status = tc_command_configure(command, &config);
	if (status != TC_EXIT_OK)
		return status;
	status = serve(command, &config);
	tc_config_deinit(&config);
	return status;
}
