/* pg/cluster.h: the embedded PostgreSQL cluster: made once in <data>/postgres, listening on a unix
 * socket in <data>/socket only, run as the `postgres` user when we are root, supervised, stopped with us.
 *
 * Model. <data>/tocsin.lock is held (a lock of the open file) as long as the cluster object lives, so one process
 * owns a data directory. A postmaster found alive then is an orphan of a crash: it is asked to stop
 * and waited for (pidfd). Readiness is an event: postmaster.pid says "ready" (inotify). A supervisor
 * thread waits for the postmaster to exit and starts it again if nobody asked it to stop. */
#pragma once

#include <stdbool.h>
#include <tocsin/error.h>

struct tc_cluster;

struct tc_cluster_options {
	const char *data_directory; /* created if missing, 0700 */
	const char *
		program_directory; /* of initdb and postgres; NULL: found (newest under /usr/lib/postgresql) */
	unsigned max_connections; /* 0: the server's default */
	/* Progress and supervision for people: "creating", "starting", "ready", "died", "restarted",
	 * "failed" (to restart; it tries again), "stopping". Called on the supervisor's thread. */
	void (*notice)(const char *event, const char *detail, void *userdata);
	void *userdata;
};

/* Starts (and first makes) the cluster; blocks until it accepts connections. Errors name the file
 * or program concerned and the log to read; INVALID: another data directory is needed. */
int tc_cluster_new(struct tc_cluster **ret_cluster, const struct tc_cluster_options *options,
		   struct tocsin_error *error);
/* libpq conninfo of database "tocsin" on the socket; owned by the cluster. */
const char *tc_cluster_conninfo(const struct tc_cluster *cluster);
/* Fast shutdown, waits for the postmaster to exit, joins the supervisor. NULL allowed, returns NULL. */
struct tc_cluster *tc_cluster_free(struct tc_cluster *cluster);
/* TOCSIN_E_INVALID if an errno of a file in the data directory means that this directory cannot be used at all (it is
 * a file, others' or read-only); TOCSIN_E_SYSTEM if it may work another time (the disk is full). */
int tc_cluster_judge(int error_number);

/* The conninfo of a cluster that another process runs in `data_directory`, owned by the caller (free).
 * TOCSIN_E_NOT_FOUND if nobody does, TOCSIN_E_UNAVAILABLE while it starts or stops. Does not block. */
int tc_cluster_find(const char *data_directory, char **ret_conninfo, struct tocsin_error *error);
