/* app/database.c: see database.h.
 *
 * Two commands may use one cluster that the first of them started. Each user holds a shared lock of
 * <data>/tocsin.users; who started it takes that lock alone before it stops the cluster, and so
 * waits, without polling, until the others are done. */
#include "app/database.h"

#include "base/macro.h"
#include "base/memory.h"
#include "pg/cluster.h"
#include "pg/migrate.h"
#include "pg/query.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIGRATE_WAIT_MS 600000u /* another node may be busy with a long migration */
/* Beside the pools: listener, reserved for superusers, commands, an administrator's psql. */
#define CONNECTIONS_SPARE 20u
#define CONNECTIONS_LEAST 100u

TC_DEFINE_CLEANUP(PQconninfoOption *, PQconninfoFree);

static int no_memory(struct tocsin_error *error)
{
	return tocsin_error_set(error, TOCSIN_E_NOMEM, "out of memory");
}

/* With several hosts and nothing said about it, the one that takes writes is meant. */
static bool wants_read_write(const char *url)
{
	TC_CLEANUP(PQconninfoFree) PQconninfoOption *options = PQconninfoParse(url, NULL);
	bool has_hosts = false;

	if (!options || getenv("PGTARGETSESSIONATTRS"))
		return false;
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (!option->val)
			continue;
		if (strcmp(option->keyword, "target_session_attrs") == 0)
			return false;
		if (strcmp(option->keyword, "host") == 0 ||
		    strcmp(option->keyword, "hostaddr") == 0)
			has_hosts = has_hosts || strchr(option->val, ',');
	}
	return has_hosts;
}

static char *complete_url(const char *url)
{
	bool is_uri =
		strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
	char *text;

	if (!wants_read_write(url))
		return strdup(url);
	if (asprintf(&text, "%s%starget_session_attrs=read-write", url,
		     !is_uri            ? " "
		     : strchr(url, '?') ? "&"
					: "?") < 0)
		return NULL;
	return text;
}

static void log_notice(const char *event, const char *detail, void *userdata)
{
	(void)userdata;
	if (strcmp(event, "creating") == 0)
		tc_log_info("cluster.creating",
			    "making a PostgreSQL cluster in %s; this takes a moment", detail);
	else if (strcmp(event, "died") == 0)
		tc_log_error("cluster.died",
			     "PostgreSQL ended unexpectedly (%s); starting it again", detail);
	else if (strcmp(event, "failed") == 0)
		tc_log_error("cluster.failed", "cannot restart PostgreSQL, trying again: %s",
			     detail);
	else if (strcmp(event, "restarted") == 0)
		tc_log_warning("cluster.restarted", "PostgreSQL runs again");
	else
		tc_log_debug("cluster.event", "PostgreSQL: %s %s", event, detail);
}

static int start_cluster(struct tc_database *database, const struct tc_config *config,
			 struct tocsin_error *error)
{
	unsigned wanted = config->pool_max + config->lock_pool_max + CONNECTIONS_SPARE;
	struct tc_cluster_options options = {
		.data_directory = config->data_directory,
		.max_connections = TC_MAX(wanted, CONNECTIONS_LEAST),
		.notice = log_notice,
	};
	int result = tc_cluster_new(&database->cluster, &options, error);

	if (result != TOCSIN_OK)
		return result;
	database->conninfo = strdup(tc_cluster_conninfo(database->cluster));
	return database->conninfo ? TOCSIN_OK : no_memory(error);
}

/* Byte 0 of <data>/tocsin.users is who uses the cluster, byte 1 whose turn it is to look and start it. */
static struct flock users_byte(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

static struct flock turn_byte(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
}

/* Root's command makes the file for whose directory it is: that user's commands have to open it, too. So it
 * appears under its name as that user's, or not at all. -1: errno says why. */
static int make_users(const char *path, const char *directory)
{
	TC_CLOSE int fd = -1;
	TC_FREE char *draft = NULL;
	struct stat owner;
	bool is_made;
	int why;

	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return -1;
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return -1;
	is_made = (geteuid() != 0 ||
		   (stat(directory, &owner) == 0 && fchown(fd, owner.st_uid, owner.st_gid) == 0)) &&
		  link(draft, path) == 0;
	why = errno;
	unlink(draft);
	errno = why;
	return is_made ? tc_take_fd(&fd) : -1;
}

static int open_or_make_users(const char *path, const char *directory)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = make_users(path, directory);
	if (fd >= 0 || errno != EEXIST)
		return fd;
	return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW); /* somebody else was faster */
}

static int open_users(const struct tc_config *config, struct tc_database *database,
		      struct tocsin_error *error)
{
	struct flock use = users_byte(F_RDLCK);
	TC_FREE char *path = NULL;

	if (asprintf(&path, "%s/tocsin.users", config->data_directory) < 0)
		return no_memory(error);
	database->users_fd = open_or_make_users(path, config->data_directory);
	if (database->users_fd < 0)
		return tocsin_error_set(error, tc_cluster_judge(errno), "cannot open %s: %s", path,
					strerror(errno));
	/* Waits only for one that is just stopping its cluster. */
	if (fcntl(database->users_fd, F_OFD_SETLKW, &use) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM, "cannot lock %s: %s", path,
					strerror(errno));
	return TOCSIN_OK;
}

static int find_or_start(struct tc_database *database, const struct tc_config *config,
			 struct tocsin_error *error)
{
	struct flock turn = turn_byte(F_WRLCK);
	int result;

	if (database->users_fd >= 0 && fcntl(database->users_fd, F_OFD_SETLKW, &turn) < 0)
		return tocsin_error_set(error, TOCSIN_E_SYSTEM,
					"cannot lock tocsin.users in %s: %s",
					config->data_directory, strerror(errno));
	result = tc_cluster_find(config->data_directory, &database->conninfo, error);
	if (result == TOCSIN_E_NOT_FOUND)
		result = start_cluster(database, config, error);
	turn = turn_byte(F_UNLCK);
	if (database->users_fd >= 0)
		fcntl(database->users_fd, F_OFD_SETLK,
		      &turn); /* unlocking a held range cannot fail */
	return result;
}

int tc_database_init(struct tc_database *ret_database, const struct tc_config *config,
		     enum tc_database_mode mode, struct tocsin_error *error)
{
	struct tc_database database = {.users_fd = -1};
	int result = TOCSIN_OK;

	if (config->database_url) {
		database.conninfo = complete_url(config->database_url);
		if (!database.conninfo)
			result = no_memory(error);
	} else if (mode == TC_DATABASE_SERVE) {
		result = start_cluster(&database, config, error);
	} else {
		if (access(config->data_directory, F_OK) == 0)
			result = open_users(config, &database, error);
		if (result == TOCSIN_OK)
			result = find_or_start(&database, config, error);
		if (result == TOCSIN_OK && database.users_fd < 0)
			result = open_users(config, &database, error);
	}
	if (result != TOCSIN_OK) {
		tc_database_deinit(&database);
		if (result == TOCSIN_E_INVALID && !config->database_url)
			tc_config_refuse("TOCSIN_DATA_DIR", config->data_directory, error);
		return result;
	}
	*ret_database = database;
	return TOCSIN_OK;
}

void tc_database_deinit(struct tc_database *database)
{
	struct flock alone = users_byte(F_WRLCK);

	if (database->cluster && database->users_fd >= 0) {
		while (fcntl(database->users_fd, F_OFD_SETLKW, &alone) < 0 && errno == EINTR)
			;
	}
	database->cluster = tc_cluster_free(database->cluster);
	if (database->users_fd >= 0)
		close(database->users_fd);
	database->users_fd = -1;
	free(database->conninfo);
	database->conninfo = NULL;
}

int tc_database_migrate(const struct tc_database *database, unsigned *ret_applied,
			struct tocsin_error *error)
{
	return tc_migrate(database->conninfo, tc_migrations, tc_migrations_count, MIGRATE_WAIT_MS,
			  ret_applied, error);
}
