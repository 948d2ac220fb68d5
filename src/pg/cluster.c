/* pg/cluster.c: the embedded cluster as an object: see cluster.h.
 *
 * Every postmaster, the first too, is started by the supervisor thread: PR_SET_PDEATHSIG is sent when
 * the thread that forked ends, and this thread lives exactly as long as the cluster. tc_cluster_new
 * waits for its first outcome.
 *
 * Locking: `mutex` guards `outcome` and `error` until the first outcome is known; everything else is
 * the supervisor's after it started, or constant. `stop_fd` is an eventfd: readable means stop. */
#include "pg/cluster.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pg/cluster_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000
#define HEALTHY_MS       10000 /* a postmaster that lived this long may be restarted at once */

/* Belongs to the open file, not to the process: a second cluster in one process is refused too. */
static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

enum outcome { OUTCOME_PENDING, OUTCOME_READY, OUTCOME_FAILED };

struct tc_cluster {
	struct tc_place place;
	struct tc_cluster_options options;
	char *conninfo;
	int lock_fd, stop_fd;
	pthread_t supervisor;
	bool is_supervised;
	pthread_mutex_t mutex;
	pthread_cond_t decided;
	enum outcome outcome;
	struct tocsin_error error;
};
TC_DEFINE_CLEANUP(struct tc_cluster *, tc_cluster_free);

static void tell(const struct tc_cluster *cluster, const char *event, const char *detail)
{
	if (cluster->options.notice)
		cluster->options.notice(event, detail, cluster->options.userdata);
}

/* --- the supervisor --- */

static void decide(struct tc_cluster *cluster, enum outcome outcome,
		   const struct tocsin_error *error)
{
	TC_LOCKED(&cluster->mutex);

	if (cluster->outcome != OUTCOME_PENDING)
		return;
	cluster->outcome = outcome;
	if (error)
		cluster->error = *error;
	pthread_cond_broadcast(&cluster->decided);
}

/* Waits for a request to stop: true; false after timeout_ms, or when the process has ended. */
static bool must_stop(const struct tc_cluster *cluster, const struct tc_process *process,
		      int timeout_ms)
{
	struct pollfd pollers[] = {{.fd = cluster->stop_fd, .events = POLLIN},
				   {.fd = process ? process->pidfd : -1, .events = POLLIN}};

	while (poll(pollers, TC_ARRAY_LENGTH(pollers), timeout_ms) < 0 && errno == EINTR)
		;
	return pollers[0].revents != 0;
}

static int make_and_start(struct tc_cluster *cluster, struct tc_process *ret_process,
			  struct tocsin_error *error)
{
	int result = TOCSIN_OK;

	if (!tc_server_exists(&cluster->place)) {
		tell(cluster, "creating", cluster->place.postgres);
		result = tc_server_create(&cluster->place, error);
	}
	if (result == TOCSIN_OK) {
		tell(cluster, "starting", cluster->place.postgres);
		result = tc_server_start(&cluster->place, cluster->stop_fd, ret_process, error);
	}
	return result;
}

/* Watches one postmaster until it ends or shall end; true: go on and start another. */
static bool watch(struct tc_cluster *cluster, struct tc_process *process)
{
	char reason[64];

	if (must_stop(cluster, process, -1)) {
		tell(cluster, "stopping", cluster->place.postgres);
		tc_server_stop(process);
		return false;
	}
	tc_process_wait(process, -1, reason, sizeof(reason));
	tell(cluster, "died", reason);
	return true;
}

static void *supervise(void *argument)
{
	struct tc_cluster *cluster = argument;
	int backoff_ms = 0;

	for (bool first = true;; first = false) {
		struct tc_process process = {.pidfd = -1};
		struct tocsin_error error = {0};
		uint64_t started_ms;

		if (must_stop(cluster, NULL, backoff_ms))
			break;
		if (make_and_start(cluster, &process, &error) == TOCSIN_OK) {
			tell(cluster, first ? "ready" : "restarted", cluster->place.socket);
			decide(cluster, OUTCOME_READY, NULL);
			started_ms = tc_clock_ms();
			if (!watch(cluster, &process))
				break;
			if (tc_clock_ms() - started_ms >= HEALTHY_MS)
				backoff_ms = 0;
		} else {
			decide(cluster, OUTCOME_FAILED, &error);
			if (first || error.code == TOCSIN_E_CLOSED)
				break;
			tell(cluster, "failed", error.message);
		}
		backoff_ms =
			first ? 0
			      : TC_MIN(TC_MAX(2 * backoff_ms, BACKOFF_FIRST_MS), BACKOFF_MAX_MS);
	}
	return NULL;
}

/* --- the data directory has one owner --- */

static int refuse(const struct tc_place *place, int fd, struct tocsin_error *error)
{
	char holder[16] = "";
	ssize_t length = pread(fd, holder, sizeof(holder) - 1, 0);

	holder[TC_MAX(length, 0)] = '\0';
	holder[strcspn(holder, "\n")] = '\0';
	return tocsin_error_set(
		error, TOCSIN_E_EXISTS,
		"data directory %s is in use by another tocsin (process %s): stop it, or "
		"set TOCSIN_DATA_DIR to another directory",
		place->data, holder[0] ? holder : "unknown");
}

static int own(struct tc_cluster *cluster, struct tocsin_error *error)
{
	const char *path = cluster->place.lock;
	char text[16];
	int length;

	cluster->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (cluster->lock_fd < 0)
		return tc_place_failed(error, "open", path);
	if (fcntl(cluster->lock_fd, F_OFD_SETLK, &whole_file) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return refuse(&cluster->place, cluster->lock_fd, error);
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot lock %s: %s", path,
					strerror(errno));
	}
	length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(cluster->lock_fd, 0) < 0 ||
	    pwrite(cluster->lock_fd, text, (size_t)length, 0) != length)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot write %s: %s", path,
					strerror(errno));
	return TOCSIN_OK;
}

static char *format_conninfo(const char *socket)
{
	char *text;

	return asprintf(&text, "host='%s' port=5432 dbname=tocsin user=tocsin", socket) < 0 ? NULL
											    : text;
}

/* A quote or backslash would need escaping in a conninfo, and PostgreSQL's list of socket directories
 * has rules of its own: such a directory is refused by name. */
static int check_name(const struct tc_place *place, struct tocsin_error *error)
{
	if (!place->data[strcspn(place->data, "'\"\\,\n")])
		return TOCSIN_OK;
	return tocsin_error_set(
		error, TOCSIN_E_INVALID,
		"data directory %s: quotes, backslashes, commas and line ends are not "
		"possible in its name",
		place->data);
}

static int prepare(struct tc_cluster *cluster, struct tocsin_error *error)
{
	struct tc_place *place = &cluster->place;
	int result = tc_place_init(place, cluster->options.data_directory, error);

	if (result == TOCSIN_OK)
		result = check_name(place, error);
	if (result == TOCSIN_OK)
		result = own(cluster, error);
	if (result == TOCSIN_OK)
		result = tc_place_open(place, error);
	if (result == TOCSIN_OK)
		result = tc_place_find_programs(place, cluster->options.program_directory, error);
	if (result == TOCSIN_OK)
		result = tc_place_make_socket(place, error);
	if (result != TOCSIN_OK)
		return result;
	place->max_connections = cluster->options.max_connections;
	cluster->conninfo = format_conninfo(place->socket);
	cluster->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!cluster->conninfo || cluster->stop_fd < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot make an eventfd: %s",
					strerror(errno));
	return TOCSIN_OK;
}

int tc_cluster_new(struct tc_cluster **ret_cluster, const struct tc_cluster_options *options,
		   struct tocsin_error *error)
{
	TC_CLEANUP(tc_cluster_free) struct tc_cluster *cluster = calloc(1, sizeof(*cluster));
	int result;

	if (!cluster)
		return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
	cluster->options = *options;
	cluster->lock_fd = cluster->stop_fd = -1;
	tc_mutex_init(&cluster->mutex);
	tc_cond_init(&cluster->decided);
	result = prepare(cluster, error);
	if (result == TOCSIN_OK)
		result = tc_thread_start(&cluster->supervisor, "pg-supervisor", supervise, cluster,
					 error);
	if (result != TOCSIN_OK)
		return result;
	cluster->is_supervised = true;
	tc_mutex_lock(&cluster->mutex);
	while (cluster->outcome == OUTCOME_PENDING)
		tc_cond_wait(&cluster->decided, &cluster->mutex);
	tc_mutex_unlock(&cluster->mutex);
	if (cluster->outcome == OUTCOME_FAILED) {
		if (error)
			*error = cluster->error;
		return cluster->error.code;
	}
	*ret_cluster = tc_take(cluster);
	return TOCSIN_OK;
}

const char *tc_cluster_conninfo(const struct tc_cluster *cluster)
{
	return cluster->conninfo;
}

struct tc_cluster *tc_cluster_free(struct tc_cluster *cluster)
{
	if (!cluster)
		return NULL;
	if (cluster->is_supervised) {
		eventfd_write(cluster->stop_fd, 1); /* cannot fail: the counter is far from full */
		pthread_join(cluster->supervisor, NULL);
	}
	tc_place_remove_socket(&cluster->place);
	if (cluster->stop_fd >= 0)
		close(cluster->stop_fd);
	if (cluster->lock_fd >= 0)
		close(cluster->lock_fd); /* and with it the lock */
	pthread_mutex_destroy(&cluster->mutex);
	pthread_cond_destroy(&cluster->decided);
	tc_place_deinit(&cluster->place);
	free(cluster->conninfo);
	free(cluster);
	return NULL;
}

/* --- somebody else's --- */

/* Looks without taking the lock, so that nobody is refused because of a look. */
static bool is_owned(const struct tc_place *place)
{
	TC_CLOSE int fd = open(place->lock, O_RDONLY | O_CLOEXEC);
	struct flock found = whole_file;

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &found) == 0 && found.l_type != F_UNLCK;
}

int tc_cluster_find(const char *data_directory, char **ret_conninfo, struct tocsin_error *error)
{
	struct tc_place place;
	struct tc_server_status status = {0};
	char *conninfo = NULL;
	int result = TOCSIN_OK;

	if (access(data_directory, F_OK) < 0)
		return tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "there is no %s",
					data_directory);
	result = tc_place_init(&place, data_directory, error);
	if (result != TOCSIN_OK)
		goto out;
	if (!is_owned(&place)) {
		result = tocsin_error_set(error, TOCSIN_E_NOT_FOUND, "no tocsin runs in %s",
					  place.data);
		goto out;
	}
	if (!tc_server_read_status(&place, &status) || !status.is_ready) {
		result = tocsin_error_set(
			error, TOCSIN_E_UNAVAILABLE,
			"the tocsin that runs in %s is starting or stopping; try again",
			place.data);
		goto out;
	}
	conninfo = format_conninfo(status.socket);
	if (conninfo)
		*ret_conninfo = conninfo;
	else
		result = tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
out:
	tc_place_deinit(&place);
	return result;
}
