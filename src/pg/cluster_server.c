/* pg/cluster_server.c: the postmaster of the embedded cluster.
 *
 * Making. A cluster is made in <data>/postgres.new, database "tocsin" included, and renamed when it
 * is whole: <data>/postgres is either absent or complete, whenever the machine stops.
 *
 * Readiness. The postmaster writes its state into postmaster.pid; inotify tells when. Nothing polls.
 *
 * The settings below go on the command line, so that they hold whatever postgresql.conf says. */
#include "pg/cluster_internal.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/memory.h"
#include "pg/cluster_strays.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define LOG_MAX_BYTES    ((off_t)10 * 1024 * 1024)
#define START_TIMEOUT_MS 900000 /* crash recovery of a big database takes its time */
#define STOP_FAST_MS     60000  /* the last checkpoint */
#define STOP_NOW_MS      10000
#define TAIL_BYTES       300

static const char *const settings[] = {
	"listen_addresses=",
	"port=5432",
	"unix_socket_permissions=0700",
	"fsync=on",
	"synchronous_commit=on",
	"full_page_writes=on",
	"shared_buffers=64MB",
	"max_locks_per_transaction=256", /* session locks are held in thousands */
	"jit=off",
	"logging_collector=off",
	"log_destination=stderr",
	"log_checkpoints=off",
	"cluster_name=tocsin",
};

/* Opens the log, moved aside first if it is too big. */
static int open_log(const struct tc_place *place, int *ret_fd, struct tocsin_error *error)
{
	struct stat status;
	TC_FREE char *old = NULL;

	if (stat(place->log, &status) == 0 && status.st_size > LOG_MAX_BYTES &&
	    asprintf(&old, "%s.1", place->log) > 0 && rename(place->log, old) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot rename %s: %s", place->log,
					strerror(errno));
	*ret_fd = open(place->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*ret_fd < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot open %s: %s", place->log,
					strerror(errno));
	return TOCSIN_OK;
}

/* The last words written to the log since it had `from` bytes, on one line. */
static void read_tail(const struct tc_place *place, off_t from, char ret_text[TAIL_BYTES])
{
	TC_CLOSE int fd = open(place->log, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t start = TC_MAX(from, end - (TAIL_BYTES - 1));
	ssize_t length = end > start ? pread(fd, ret_text, (size_t)(end - start), start) : 0;

	length = TC_MAX(length, 0);
	while (length > 0 && ret_text[length - 1] == '\n')
		length--;
	ret_text[length] = '\0';
	for (ssize_t i = 0; i < length; i++) {
		if ((unsigned char)ret_text[i] < ' ')
			ret_text[i] = ret_text[i] == '\n' ? '|' : ' ';
	}
}

static int fail_with_log(const struct tc_place *place, off_t from, const char *program,
			 const char *reason, struct tocsin_error *error)
{
	char tail[TAIL_BYTES];

	read_tail(place, from, tail);
	return tocsin_error_set(error, TOCSIN_E_SYSTEM, "%s ended with %s; see %s: %s", program,
				reason, place->log, tail[0] ? tail : "it wrote nothing");
}

/* --- making --- */

/* Runs a program of PostgreSQL to its end. */
static int run(const struct tc_place *place, const char *const *argv, const char *input,
	       struct tocsin_error *error)
{
	TC_CLOSE int log_fd = -1;
	struct tc_process_options options = {.argv = argv, .input = input, .death_signal = SIGKILL};
	struct tc_process process = {.pidfd = -1};
	char reason[64];
	off_t from;
	int result = open_log(place, &log_fd, error);

	if (result != TOCSIN_OK)
		return result;
	from = lseek(log_fd, 0, SEEK_END);
	options.output_fd = log_fd;
	result = tc_process_start(place, &options, &process, error);
	if (result != TOCSIN_OK)
		return result;
	tc_process_wait(&process, -1, reason, sizeof(reason));
	if (strcmp(reason, "exit status 0") != 0)
		return fail_with_log(place, from, argv[0], reason, error);
	return TOCSIN_OK;
}

bool tc_server_exists(const struct tc_place *place)
{
	return access(place->postgres, F_OK) == 0;
}

static int sync_directory(const char *path, struct tocsin_error *error)
{
	TC_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot sync %s: %s", path,
					strerror(errno));
	return TOCSIN_OK;
}

int tc_server_create(const struct tc_place *place, struct tocsin_error *error)
{
	char initdb[4096], postgres[4096];
	const char *const make[] = {initdb,
				    "-D",
				    place->fresh,
				    "-U",
				    "tocsin",
				    "--auth=trust",
				    "--encoding=UTF8",
				    "--no-locale",
				    "--data-checksums",
				    "--no-instructions",
				    NULL};
	const char *const single[] = {postgres,     "--single", "-D",
				      place->fresh, "-c",       "log_checkpoints=off",
				      "postgres",   NULL};
	int result;

	if (tc_server_exists(place))
		return TOCSIN_OK;
	if (snprintf(initdb, sizeof(initdb), "%s/initdb", place->programs) >= (int)sizeof(initdb) ||
	    snprintf(postgres, sizeof(postgres), "%s/postgres", place->programs) >=
		    (int)sizeof(postgres))
		return tocsin_error_set(error, TOCSIN_E_INVALID, "the name of %s is too long",
					place->programs);
	if (!tc_place_remove_tree(place->fresh)) /* a start that was cut short */
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot remove %s: %s",
					place->fresh, strerror(errno));
	if (mkdir(place->fresh, 0700) < 0 ||
	    (place->switch_user && chown(place->fresh, place->user, place->group) < 0))
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot create directory %s: %s",
					place->fresh, strerror(errno));
	result = run(place, make, NULL, error);
	if (result == TOCSIN_OK)
		result = run(place, single, "CREATE DATABASE tocsin\n", error);
	if (result != TOCSIN_OK)
		return result;
	if (rename(place->fresh, place->postgres) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot rename %s: %s",
					place->fresh, strerror(errno));
	return sync_directory(place->data, error);
}

/* --- starting --- */

bool tc_server_read_status(const struct tc_place *place, struct tc_server_status *ret_status)
{
	/* Lines: pid, data directory, start time, port, socket directory, address, shared memory, state. */
	enum { PID_LINE = 1, SOCKET_LINE = 5, STATE_LINE = 8 };
	char text[4096 + 512];
	struct tc_server_status status = {0};
	TC_CLOSE int fd = open(place->pid_file, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *rest = text, *line;

	if (length <= 0)
		return false;
	text[length] = '\0';
	for (int number = 1; (line = strsep(&rest, "\n")); number++) {
		if (number == PID_LINE)
			status.pid = (pid_t)strtol(line, NULL, 10);
		else if (number == SOCKET_LINE)
			snprintf(status.socket, sizeof(status.socket), "%s", line);
		else if (number == STATE_LINE)
			status.is_ready = strncmp(line, "ready", strlen("ready")) == 0;
	}
	*ret_status = status;
	return status.pid > 0;
}

static bool is_ready(const struct tc_place *place, pid_t pid)
{
	struct tc_server_status status;

	return tc_server_read_status(place, &status) && status.pid == pid && status.is_ready;
}

static int fail_starting(const struct tc_place *place, struct tc_process *process, off_t log_from,
			 struct tocsin_error *error)
{
	char program[4096], reason[64];

	tc_process_wait(process, -1, reason, sizeof(reason));
	snprintf(program, sizeof(program), "%s/postgres", place->programs);
	return fail_with_log(place, log_from, program, reason, error);
}

static int wait_until_ready(const struct tc_place *place, int inotify_fd, int stop_fd,
			    struct tc_process *process, off_t log_from, struct tocsin_error *error)
{
	struct pollfd pollers[] = {{.fd = process->pidfd, .events = POLLIN},
				   {.fd = inotify_fd, .events = POLLIN},
				   {.fd = stop_fd, .events = POLLIN}};
	uint64_t deadline_ms = tc_clock_ms() + START_TIMEOUT_MS;
	char events[4096] __attribute__((aligned(8)));

	while (!is_ready(place, process->pid)) {
		int ready = poll(pollers, TC_ARRAY_LENGTH(pollers),
				 (int)tc_clock_remaining_ms(deadline_ms));

		if (ready < 0 && errno == EINTR)
			continue;
		if (pollers[0].revents)
			return fail_starting(place, process, log_from, error);
		if (ready <= 0 || pollers[2].revents) {
			tc_server_stop(process);
			return tocsin_error_set(
				error, ready <= 0 ? TOCSIN_E_TIMEOUT : TOCSIN_E_CLOSED,
				ready <= 0 ? "PostgreSQL did not become ready in time; see %s"
					   : "stopped while PostgreSQL was starting; see %s",
				place->log);
		}
		/* What exactly changed does not matter: the file is read again. */
		if (read(inotify_fd, events, sizeof(events)) < 0 && errno != EAGAIN &&
		    errno != EINTR)
			return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot watch %s: %s",
						place->postgres, strerror(errno));
	}
	return TOCSIN_OK;
}

#define ARGUMENTS_MAX (2 * TC_ARRAY_LENGTH(settings) + 8)

static int launch(const struct tc_place *place, int log_fd, struct tc_process *ret_process,
		  struct tocsin_error *error)
{
	TC_FREE char *program = NULL, *directories = NULL, *connections = NULL;
	const char *argv[ARGUMENTS_MAX];
	size_t count = 0;
	struct tc_process_options options = {
		.argv = argv, .output_fd = log_fd, .death_signal = SIGINT};

	if (asprintf(&program, "%s/postgres", place->programs) < 0 ||
	    asprintf(&directories, "unix_socket_directories=%s", place->socket) < 0 ||
	    asprintf(&connections, "max_connections=%u", place->max_connections) < 0)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	argv[count++] = program;
	argv[count++] = "-D";
	argv[count++] = place->postgres;
	argv[count++] = "-c";
	argv[count++] = directories;
	if (place->max_connections) {
		argv[count++] = "-c";
		argv[count++] = connections;
	}
	for (size_t i = 0; i < TC_ARRAY_LENGTH(settings); i++) {
		argv[count++] = "-c";
		argv[count++] = settings[i];
	}
	argv[count] = NULL;
	return tc_process_start(place, &options, ret_process, error);
}

int tc_server_start(const struct tc_place *place, int stop_fd, struct tc_process *ret_process,
		    struct tocsin_error *error)
{
	TC_CLOSE int log_fd = -1;
	TC_CLOSE int inotify_fd = -1;
	struct tc_process process = {.pidfd = -1};
	off_t log_from;
	int result = tc_strays_end(place, error);

	if (result == TOCSIN_OK)
		result = open_log(place, &log_fd, error);
	if (result != TOCSIN_OK)
		return result;
	log_from = lseek(log_fd, 0, SEEK_END);
	inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (inotify_fd < 0 || inotify_add_watch(inotify_fd, place->postgres,
						IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE |
							IN_MOVED_TO | IN_ONLYDIR) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot watch %s: %s",
					place->postgres, strerror(errno));
	result = launch(place, log_fd, &process, error);
	if (result == TOCSIN_OK)
		result = wait_until_ready(place, inotify_fd, stop_fd, &process, log_from, error);
	if (result == TOCSIN_OK)
		*ret_process = process;
	else
		tc_server_stop(&process);
	return result;
}

void tc_server_stop(struct tc_process *process)
{
	static const struct {
		int signal, patience_ms;
	} steps[] = {{SIGINT, STOP_FAST_MS}, {SIGQUIT, STOP_NOW_MS}, {SIGKILL, -1}};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(steps) && process->pid; i++) {
		pidfd_send_signal(process->pidfd, steps[i].signal, NULL,
				  0); /* fails if it has ended */
		tc_process_wait(process, steps[i].patience_ms, NULL, 0);
	}
}
