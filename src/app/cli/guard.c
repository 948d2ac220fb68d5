/* app/cli/guard.c: see guard.h. Everything that may happen is a descriptor: the child's end (pidfd),
 * signals (signalfd), the loss of the lock. */
#include "app/cli/guard.h"

#include "app/cli/command.h"
#include "base/memory.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

extern char **environ;

static void fill_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGHUP);
	sigaddset(ret_signals, SIGQUIT);
}

/* An errno of posix_spawnp, 0 for success. The child gets the signal mask we had. */
static int spawn(char *const *argv, const sigset_t *mask, pid_t *ret_pid)
{
	posix_spawnattr_t attributes;
	int result = posix_spawnattr_init(&attributes);

	if (result != 0)
		return result;
	result = posix_spawnattr_setsigmask(&attributes, mask);
	if (result == 0)
		result = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (result == 0)
		result = posix_spawnp(ret_pid, argv[0], NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return result;
}

static void pass_on(int signal_fd, int pidfd)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	/* A terminal (the kernel) sends to the whole group: the child has it. Failing means it has ended. */
	if (info.ssi_code <= 0)
		pidfd_send_signal(pidfd, (int)info.ssi_signo, NULL, 0);
}

static int watch(int pidfd, int signal_fd, int lost_fd, bool *ret_lost, struct tocsin_error *error)
{
	struct pollfd pollers[] = {{.fd = pidfd, .events = POLLIN},
				   {.fd = signal_fd, .events = POLLIN},
				   {.fd = lost_fd, .events = POLLIN}};
	bool lost = false;

	while (true) {
		if (poll(pollers, 3, -1) < 0 && errno != EINTR)
			return tocsin_error_set(error, TOCSIN_E_SYSTEM,
						"cannot wait for the command: %s", strerror(errno));
		if (pollers[1].revents)
			pass_on(signal_fd, pidfd);
		if (pollers[2].revents) {
			lost = true;
			pollers[2].fd = -1; /* once is enough */
			pollers[2].revents = 0;
			pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
		}
		if (pollers[0].revents)
			break;
	}
	*ret_lost = lost;
	return TOCSIN_OK;
}

static int run_child(char *const *argv, int lost_fd, int signal_fd, const sigset_t *mask,
		     int *ret_status, bool *ret_lost, struct tocsin_error *error)
{
	TC_CLOSE int pidfd = -1;
	pid_t pid = 0;
	int status = 0, result, reason = spawn(argv, mask, &pid);

	if (reason != 0) {
		tc_command_say("tocsin: cannot run %s: %s", argv[0], strerror(reason));
		*ret_status = reason == ENOENT ? 127 : 126;
		*ret_lost = false;
		return TOCSIN_OK;
	}
	pidfd = pidfd_open(pid, 0);
	result = pidfd < 0 ? tocsin_error_set(error, TOCSIN_E_SYSTEM,
					      "cannot watch the command: %s", strerror(errno))
			   : watch(pidfd, signal_fd, lost_fd, ret_lost, error);
	if (result != TOCSIN_OK)
		kill(pid, SIGTERM); /* it must not go on unwatched */
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return tocsin_error_set(error, TOCSIN_E_SYSTEM,
						"cannot wait for the command: %s", strerror(errno));
	}
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return result;
}

int tc_guard_run(char *const *argv, int lost_fd, int *ret_status, bool *ret_lost,
		 struct tocsin_error *error)
{
	sigset_t signals, before;
	TC_CLOSE int signal_fd = -1;
	int result;

	fill_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		result = tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot watch signals: %s",
					  strerror(errno));
	else
		result = run_child(argv, lost_fd, signal_fd, &before, ret_status, ret_lost, error);
	/* The signals stay blocked: the lock is yet to be let go, and the process ends right after. */
	return result;
}
