/* pg/cluster_place.c: where the embedded cluster lives and who runs it.
 *
 * As root PostgreSQL runs as user `postgres`, because it refuses root. The data directory then is
 * root's, with search permission for that user's group only; <data>/postgres and the socket's
 * directory belong to the user. So only root and that user reach the socket, which is why the
 * server may trust whoever connects. */
#include "pg/cluster.h"
#include "pg/cluster_internal.h"

#include "base/macro.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define RUN_USER      "postgres"
#define PROGRAMS_GLOB "/usr/lib/postgresql/*/bin/postgres"
/* What PostgreSQL adds to the directory's name. */
#define SOCKET_SUFFIX "/.s.PGSQL.5432"
#define REMOVE_FDS    16
#define PATH_SHOWN    160

static int no_memory(struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
}

int tc_cluster_judge(int error_number)
{
	static const int faults[] = {EACCES, EPERM,        EROFS, ENOTDIR, EISDIR,
				     ENOENT, ENAMETOOLONG, ELOOP, EEXIST,  EINVAL};

	for (size_t i = 0; i < TC_ARRAY_LENGTH(faults); i++)
		if (error_number == faults[i])
			return TOCSIN_E_INVALID;
	return TOCSIN_E_SYSTEM;
}

int tc_place_failed(struct tocsin_error *error, const char *verb, const char *path)
{
	int number = errno;

	/* The reason comes last and has to fit: a name that is too long is one of them. */
	return tocsin_error_set(error, tc_cluster_judge(number), "cannot %s %.*s%s: %s", verb,
				PATH_SHOWN, path, strlen(path) > PATH_SHOWN ? "..." : "",
				strerror(number));
}

/* mkdir -p; directories above are made with 0755, the last with `mode`. */
static int make_path(const char *path, mode_t mode, struct tocsin_error *error)
{
	TC_FREE char *copy = strdup(path);
	struct stat status;

	if (!copy)
		return no_memory(error);
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return tc_place_failed(error, "create directory", copy);
		*slash = '/';
	}
	if (mkdir(copy, mode) == 0)
		return TOCSIN_OK;
	if (errno == EEXIST && (stat(copy, &status) < 0 || S_ISDIR(status.st_mode)))
		return TOCSIN_OK; /* what cannot be looked at is told when it is used */
	if (errno == EEXIST)
		errno = ENOTDIR;
	return tc_place_failed(error, "create directory", copy);
}

static int find_user(struct tc_place *place, struct tocsin_error *error)
{
	char buffer[4096];
	struct passwd user, *found = NULL;

	place->user = geteuid();
	place->group = getegid();
	place->switch_user = place->user == 0;
	if (!place->switch_user)
		return TOCSIN_OK;
	if (getpwnam_r(RUN_USER, &user, buffer, sizeof(buffer), &found) != 0 || !found)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM,
					"PostgreSQL does not run as root, and there is no user "
					"\"" RUN_USER
					"\": install package postgresql, or set DATABASE_URL");
	place->user = found->pw_uid;
	place->group = found->pw_gid;
	return TOCSIN_OK;
}

int tc_place_init(struct tc_place *place, const char *data_directory, struct tocsin_error *error)
{
	const struct {
		char **text;
		const char *suffix;
	} paths[] = {
		{&place->postgres, "/postgres"},
		{&place->fresh, "/postgres.new"},
		{&place->pid_file, "/postgres/postmaster.pid"},
		{&place->log, "/postgres.log"},
		{&place->lock, "/tocsin.lock"},
		{&place->link, "/socket"},
	};
	int result;

	*place = (struct tc_place){0};
	result = find_user(place, error);
	if (result == TOCSIN_OK)
		result = make_path(data_directory, 0700, error);
	if (result != TOCSIN_OK)
		return result;
	place->data = realpath(data_directory, NULL);
	if (!place->data)
		return tc_place_failed(error, "find", data_directory);
	for (size_t i = 0; i < TC_ARRAY_LENGTH(paths); i++) {
		if (asprintf(paths[i].text, "%s%s", place->data, paths[i].suffix) < 0) {
			*paths[i].text = NULL;
			return no_memory(error);
		}
	}
	return TOCSIN_OK;
}

void tc_place_deinit(struct tc_place *place)
{
	free(place->data);
	free(place->postgres);
	free(place->fresh);
	free(place->pid_file);
	free(place->log);
	free(place->lock);
	free(place->link);
	free(place->socket);
	free(place->programs);
	*place = (struct tc_place){0};
}

/* Runs in a child, as the user: the depth of the first directory of the path that it cannot search,
 * counted from 1; 0 if it can get everywhere. */
static int find_barrier(const void *argument)
{
	const struct tc_place *place = argument;
	char path[4096];
	size_t length = strlen(place->data);
	int depth = 0;

	if (length >= sizeof(path))
		return 255;
	memcpy(path, place->data, length + 1);
	for (size_t i = 1; i <= length; i++) {
		char kept = path[i];

		if (kept != '/' && kept != '\0')
			continue;
		depth++;
		path[i] = '\0';
		if (access(path, X_OK) < 0)
			return TC_MIN(depth, 254);
		path[i] = kept;
	}
	return 0;
}

static int check_reachable(const struct tc_place *place, struct tocsin_error *error)
{
	const char *end = place->data;
	int depth = tc_process_ask(place, find_barrier, place);

	if (depth == 0)
		return TOCSIN_OK;
	if (depth < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM,
					"cannot become user \"" RUN_USER "\" to run PostgreSQL");
	for (; depth > 0 && end; depth--)
		end = strchr(end + 1, '/');
	return tocsin_error_set(
		error, TOCSIN_E_INVALID,
		"user \"" RUN_USER "\", who runs PostgreSQL, cannot enter directory %.*s: "
		"set TOCSIN_DATA_DIR to a directory that this user can reach",
		(int)(end ? end - place->data : (ptrdiff_t)strlen(place->data)), place->data);
}

int tc_place_open(struct tc_place *place, struct tocsin_error *error)
{
	struct stat status, made;

	if (stat(place->data, &status) < 0)
		return tc_place_failed(error, "look at", place->data);
	if (!place->switch_user) {
		if (status.st_uid != place->user)
			return tocsin_error_set(error, TOCSIN_E_INVALID,
						"data directory %s belongs to another user",
						place->data);
		return TOCSIN_OK;
	}
	if (stat(place->postgres, &made) == 0 && made.st_uid != place->user)
		return tocsin_error_set(
			error, TOCSIN_E_INVALID,
			"%.160s was made by the user with id %u: run tocsin as that user, or set "
			"TOCSIN_DATA_DIR to another directory",
			place->postgres, (unsigned)made.st_uid);
	if (status.st_uid == 0 &&
	    (status.st_gid != place->group || (status.st_mode & 0777) != 0710)) {
		if (chown(place->data, 0, place->group) < 0 || chmod(place->data, 0710) < 0)
			return tc_place_failed(error, "set the owner of", place->data);
	}
	return check_reachable(place, error);
}

/* --- programs --- */

static bool has_programs(const char *directory)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/postgres", directory) >= (int)sizeof(path) ||
	    access(path, X_OK) < 0)
		return false;
	return snprintf(path, sizeof(path), "%s/initdb", directory) < (int)sizeof(path) &&
	       access(path, X_OK) == 0;
}

/* The major version that made the cluster; 0 if there is none yet. */
static unsigned read_version(const struct tc_place *place)
{
	char path[4096], text[16] = "";
	TC_CLOSE int fd = -1;

	if (snprintf(path, sizeof(path), "%s/PG_VERSION", place->postgres) >= (int)sizeof(path))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	return (unsigned)strtoul(text, NULL, 10);
}

/* The newest of the versions installed side by side, or `wanted` if that is not 0. */
static char *find_installed(unsigned wanted)
{
	glob_t found = {0};
	char *best = NULL;
	unsigned best_version = 0;

	if (glob(PROGRAMS_GLOB, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			const char *path = found.gl_pathv[i];
			unsigned version =
				(unsigned)strtoul(path + strlen("/usr/lib/postgresql/"), NULL, 10);
			TC_FREE char *directory = strndup(path, strlen(path) - strlen("/postgres"));

			if (version <= best_version || (wanted && version != wanted) ||
			    !directory || !has_programs(directory))
				continue;
			free(best);
			best = tc_take(directory);
			best_version = version;
		}
	}
	globfree(&found);
	return best;
}

static char *find_in_path(void)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t length = strcspn(path, ":");
		TC_FREE char *directory = strndup(path, length);

		if (directory && directory[0] == '/' && has_programs(directory))
			return tc_take(directory);
		path += length + (path[length] == ':');
	}
	return NULL;
}

int tc_place_find_programs(struct tc_place *place, const char *given, struct tocsin_error *error)
{
	unsigned version = read_version(place);

	if (given) {
		if (!has_programs(given))
			return tocsin_error_set(error, TOCSIN_E_SYSTEM,
						"there are no programs initdb and postgres in %s",
						given);
		place->programs = strdup(given);
		return place->programs ? TOCSIN_OK : no_memory(error);
	}
	place->programs = find_installed(version);
	if (!place->programs)
		place->programs = find_in_path(); /* a wrong version says so in its log */
	if (place->programs)
		return TOCSIN_OK;
	if (version)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM,
					"%s was made by PostgreSQL %u, which is not installed",
					place->postgres, version);
	return tocsin_error_set(
		error, TOCSIN_E_SYSTEM,
		"PostgreSQL is not installed (no initdb and postgres in "
		"/usr/lib/postgresql/*/bin or PATH): install package postgresql, or "
		"set DATABASE_URL");
}

/* --- the socket's directory --- */

static bool is_too_long(const char *directory)
{
	return strlen(directory) + strlen(SOCKET_SUFFIX) >=
	       sizeof(((struct sockaddr_un *)0)->sun_path);
}

/* A directory that is the user's own and nobody else's, not through a link that others may turn. */
static bool is_private(const struct tc_place *place, const char *directory)
{
	struct stat status;

	return lstat(directory, &status) == 0 && S_ISDIR(status.st_mode) &&
	       status.st_uid == place->user && (status.st_mode & 077) == 0;
}

/* A short directory elsewhere, found again through the link <data>/socket, so that a crash leaves
 * one directory at most. */
static int make_short_socket(struct tc_place *place, struct tocsin_error *error)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char old[256], made[256];
	ssize_t length = readlink(place->link, old, sizeof(old) - 1);

	if (length > 0) {
		old[length] = '\0';
		if (!is_too_long(old) && is_private(place, old)) {
			place->socket = strdup(old);
			return place->socket ? TOCSIN_OK : no_memory(error);
		}
	}
	if (place->switch_user || !runtime || runtime[0] != '/' || strlen(runtime) > 64)
		runtime = "/tmp";
	snprintf(made, sizeof(made), "%s/tocsin-XXXXXX", runtime);
	if (!mkdtemp(made))
		return tc_place_failed(error, "create directory", made);
	if (place->switch_user && chown(made, place->user, place->group) < 0)
		return tc_place_failed(error, "set the owner of", made);
	if ((remove(place->link) < 0 && errno != ENOENT) || symlink(made, place->link) < 0)
		return tc_place_failed(error, "create link", place->link);
	place->socket = strdup(made);
	return place->socket ? TOCSIN_OK : no_memory(error);
}

int tc_place_make_socket(struct tc_place *place, struct tocsin_error *error)
{
	struct stat status;

	if (is_too_long(place->link))
		return make_short_socket(place, error);
	if (lstat(place->link, &status) == 0 && !S_ISDIR(status.st_mode) && unlink(place->link) < 0)
		return tc_place_failed(error, "remove", place->link);
	if (mkdir(place->link, 0700) < 0 && errno != EEXIST)
		return tc_place_failed(error, "create directory", place->link);
	if (chmod(place->link, 0700) < 0 ||
	    (place->switch_user && chown(place->link, place->user, place->group) < 0))
		return tc_place_failed(error, "set the owner of", place->link);
	place->socket = strdup(place->link);
	return place->socket ? TOCSIN_OK : no_memory(error);
}

void tc_place_remove_socket(struct tc_place *place)
{
	if (!place->socket || strcmp(place->socket, place->link) == 0)
		return;
	/* What cannot be removed is found again through the link and used by the next start. */
	if (tc_place_remove_tree(place->socket))
		unlink(place->link);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

bool tc_place_remove_tree(const char *path)
{
	if (nftw(path, remove_entry, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0)
		return true;
	return errno == ENOENT;
}
