/* app/database.h: which database a command uses: DATABASE_URL, or the embedded cluster: of a server that
 * runs in the data directory, or started here for the moment. */
#pragma once

#include "app/config.h"

struct tc_cluster;

struct tc_database {
	struct tc_cluster *cluster; /* owned; NULL unless started here */
	char *conninfo;             /* owned */
	int users_fd;               /* -1, or a lock that says: this cluster is in use */
};

enum tc_database_mode {
	TC_DATABASE_SERVE,   /* own the data directory, or fail */
	TC_DATABASE_COMMAND, /* use what runs there, or start it for the moment */
};

/* Blocks until the database can be connected to, if it is embedded. INVALID: TOCSIN_DATA_DIR cannot be used, and
 * the error says so as errors of settings do: exit status 78. On success the caller owns
 * *ret_database; deinit stops the cluster if it was started here, after every command that found it
 * running has ended. */
int tc_database_init(struct tc_database *ret_database, const struct tc_config *config,
		     enum tc_database_mode mode, struct tocsin_error *error);
void tc_database_deinit(struct tc_database *database);
/* Brings the database up to date. *ret_applied may be NULL. */
int tc_database_migrate(const struct tc_database *database, unsigned *ret_applied,
			struct tocsin_error *error);
