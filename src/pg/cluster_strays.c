/* pg/cluster_strays.c: ending what an earlier life left running in the cluster's directory.
 *
 * After a crash there may be an orphan postmaster (ours died), backends without a postmaster (it
 * died), or only a pid file whose number now belongs to something else. All processes of a cluster
 * have its directory as working directory and are called "postgres": that, not the number in the
 * file, says whether one is ours. Only when none is left may postmaster.pid go; removing it earlier would
 * let two sets of backends write the same files.
 *
 * Each is asked (the orphan by SIGINT, fast shutdown), waited for through its pidfd, then told (SIGQUIT,
 * which ends at once and leaves recovery to the next start). */
#include "pg/cluster_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "pg/cluster_strays.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define ORPHAN_STOP_MS 20000 /* for a postmaster's last checkpoint */
#define BACKEND_END_MS 1000  /* backends notice by themselves that their postmaster is gone */
#define QUIT_MS        10000

static bool is_called_postgres(pid_t pid)
{
	char path[64], name[32] = "";
	TC_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 && strcmp(name, "postgres\n") == 0;
}

static bool lives_in(pid_t pid, const struct stat *directory)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	return stat(path, &status) == 0 && status.st_dev == directory->st_dev &&
	       status.st_ino == directory->st_ino && is_called_postgres(pid);
}

/* True when the process behind `pidfd` has ended (or will be reaped by somebody else). */
static bool has_ended(int pidfd, unsigned timeout_ms)
{
	struct pollfd poller = {.fd = pidfd, .events = POLLIN};
	uint64_t deadline_ms = tc_clock_ms() + timeout_ms;
	int ready;

	do {
		ready = poll(&poller, 1, (int)tc_clock_remaining_ms(deadline_ms));
	} while (ready < 0 && errno == EINTR);
	return ready > 0;
}

static int end_process(pid_t pid, const struct stat *directory, int first_signal,
		       unsigned patience_ms, struct tocsin_error *error)
{
	TC_CLOSE int pidfd = pidfd_open(pid, 0);

	/* Looked at again once the descriptor holds the process: the number may have been reused. */
	if (pidfd < 0 || !lives_in(pid, directory))
		return TOCSIN_OK;
	if (first_signal)
		pidfd_send_signal(pidfd, first_signal, NULL, 0); /* fails only if it has ended */
	if (has_ended(pidfd, patience_ms))
		return TOCSIN_OK;
	pidfd_send_signal(pidfd, SIGQUIT, NULL, 0);
	if (has_ended(pidfd, QUIT_MS))
		return TOCSIN_OK;
	return tocsin_error_set(error, TOCSIN_E_SYSTEM,
				"process %d of an earlier PostgreSQL does not stop; end it by hand",
				(int)pid);
}

static int end_backends(const struct stat *directory, struct tocsin_error *error)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	int result = TOCSIN_OK;
	unsigned patience_ms = BACKEND_END_MS; /* shared: they all began to end at the same time */
	uint64_t start_ms = tc_clock_ms();

	if (!processes)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot read /proc: %s",
					strerror(errno));
	while (result == TOCSIN_OK && (entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		uint64_t passed_ms = tc_clock_ms() - start_ms;

		if (pid <= 0 || !lives_in(pid, directory))
			continue;
		patience_ms = passed_ms < BACKEND_END_MS ? BACKEND_END_MS - (unsigned)passed_ms : 0;
		result = end_process(pid, directory, 0, patience_ms, error);
	}
	closedir(processes);
	return result;
}

int tc_strays_end(const struct tc_place *place, struct tocsin_error *error)
{
	struct stat directory;
	struct tc_server_status status = {0};
	uid_t own_user = geteuid();
	gid_t own_group = getegid();
	int result = TOCSIN_OK;

	if (access(place->pid_file, F_OK) < 0)
		return TOCSIN_OK;
	if (stat(place->postgres, &directory) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot look at %s: %s",
					place->postgres, strerror(errno));
	tc_server_read_status(place, &status);
	/* Looking at /proc/PID/cwd of another user's process takes a capability that containers often
	 * lack; looking as that user does not. These two calls concern this thread alone. */
	if (place->switch_user) {
		setfsgid(place->group);
		setfsuid(place->user);
	}
	if (status.pid > 0)
		result = end_process(status.pid, &directory, SIGINT, ORPHAN_STOP_MS, error);
	if (result == TOCSIN_OK)
		result = end_backends(&directory, error);
	if (place->switch_user) {
		setfsuid(own_user);
		setfsgid(own_group);
	}
	if (result == TOCSIN_OK && unlink(place->pid_file) < 0 && errno != ENOENT)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot remove %s: %s",
					place->pid_file, strerror(errno));
	return result;
}
