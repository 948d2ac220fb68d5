/* pg/cluster_process.c: one child process of the embedded cluster.
 *
 * The process that forks has threads, so between fork and exec only plain system calls are made: no
 * memory, no locks. The parent prepares everything. Users are changed by the system calls
 * themselves, because the functions of the C library would want to do it in every thread. */
#include "pg/cluster_internal.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Nothing of our environment (PGPORT, LC_..., TZ) may change what the cluster is. */
static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC",
					  NULL};

static bool become_user(const struct tc_place *place)
{
	if (!place->switch_user)
		return true;
	return syscall(SYS_setgroups, (size_t)1, &place->group) == 0 &&
	       syscall(SYS_setresgid, place->group, place->group, place->group) == 0 &&
	       syscall(SYS_setresuid, place->user, place->user, place->user) == 0;
}

static void complain(const char *what, const char *argument)
{
	/* To the log; if even that fails there is nobody left to tell but the exit status. */
	if (write(STDERR_FILENO, what, strlen(what)) < 0 ||
	    write(STDERR_FILENO, argument, strlen(argument)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(126);
}

static void reset_signals(void)
{
	struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &usual, NULL); /* refused for SIGKILL and SIGSTOP, rightly */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child's side. `parent` is compared once PDEATHSIG is set, in case it died before. */
__attribute__((noreturn)) static void run_child(const struct tc_place *place,
						const struct tc_process_options *options,
						int input_fd, pid_t parent)
{
	reset_signals();
	if (dup2(input_fd, STDIN_FILENO) < 0 || dup2(options->output_fd, STDOUT_FILENO) < 0 ||
	    dup2(options->output_fd, STDERR_FILENO) < 0 || close_range(3, ~0u, 0) < 0)
		_exit(126);
	/* A session of its own: a terminal's Ctrl-C is for us, who then stop it in order. */
	if (setsid() < 0 || !become_user(place)) {
		complain("cannot become the user for ", options->argv[0]);
		_exit(126);
	}
	/* After the change of user, which would clear it. */
	if (prctl(PR_SET_PDEATHSIG, options->death_signal) < 0 || getppid() != parent)
		_exit(126);
	umask(077);
	if (chdir(place->data) < 0) {
		complain("cannot enter ", place->data);
		_exit(126);
	}
	/* execve takes pointers to char for history's sake; it changes nothing. */
	execve(options->argv[0], (char *const *)(void *)(uintptr_t)options->argv,
	       (char *const *)(void *)(uintptr_t)environment);
	complain("cannot execute ", options->argv[0]);
	_exit(127);
}

/* Standard input for the child: a pipe that already holds the whole (short) text, or /dev/null. */
static int open_input(const char *text)
{
	int ends[2];
	size_t length;

	if (!text)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	length = strlen(text);
	if (length > PIPE_BUF || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	if (write(ends[1], text, length) != (ssize_t)length) {
		close(ends[0]);
		ends[0] = -1;
	}
	close(ends[1]);
	return ends[0];
}

int tc_process_start(const struct tc_place *place, const struct tc_process_options *options,
		     struct tc_process *ret_process, struct tocsin_error *error)
{
	TC_CLOSE int input_fd = open_input(options->input);
	pid_t parent = getpid(), pid;
	int pidfd;

	if (input_fd < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot open an input for %s: %s",
					options->argv[0], strerror(errno));
	pid = fork();
	if (pid == 0)
		run_child(place, options, input_fd, parent);
	if (pid < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot start %s: %s",
					options->argv[0], strerror(errno));
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		int reason = errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot watch %s: %s",
					options->argv[0], strerror(reason));
	}
	*ret_process = (struct tc_process){.pid = pid, .pidfd = pidfd};
	return TOCSIN_OK;
}

int tc_process_ask(const struct tc_place *place, int (*check)(const void *argument),
		   const void *argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(become_user(place) ? check(argument) : 255);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
}

bool tc_process_wait(struct tc_process *process, int timeout_ms, char *ret_reason, size_t size)
{
	struct pollfd poller = {.fd = process->pidfd, .events = POLLIN};
	uint64_t deadline_ms = tc_clock_ms() + (uint64_t)TC_MAX(timeout_ms, 0);
	siginfo_t info = {0};
	int ready;

	do {
		ready = poll(&poller, 1,
			     timeout_ms < 0 ? -1 : (int)tc_clock_remaining_ms(deadline_ms));
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return false;
	while (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	if (ret_reason && info.si_code == CLD_EXITED)
		snprintf(ret_reason, size, "exit status %d", info.si_status);
	else if (ret_reason)
		snprintf(ret_reason, size, "signal %d", info.si_status);
	close(process->pidfd);
	*process = (struct tc_process){.pid = 0, .pidfd = -1};
	return true;
}
