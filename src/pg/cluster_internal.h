/* pg/cluster_internal.h: the parts of the embedded cluster, for pg/cluster*.c only.
 *
 *   cluster.c          the object: ownership of the data directory, the supervisor thread
 *   cluster_place.c    where things are and who runs them: directories, user, programs, socket
 *   cluster_process.c  one child process: fork, become the user, exec, wait
 *   cluster_server.c   the postmaster: making the cluster, starting, readiness, strays, stopping */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <tocsin/error.h>

/* Where things are and who runs them. All text is owned by the place. */
struct tc_place {
	char *data;     /* absolute, no symlinks */
	char *postgres; /* <data>/postgres */
	char *fresh;    /* <data>/postgres.new: a cluster that is being made */
	char *pid_file; /* <data>/postgres/postmaster.pid */
	char *log;      /* <data>/postgres.log */
	char *lock;     /* <data>/tocsin.lock */
	char *link;     /* <data>/socket */
	char *socket; /* the directory of the socket: <data>/socket, or a short one it points to */
	char *programs;   /* directory of initdb and postgres */
	bool switch_user; /* we are root: PostgreSQL runs as `user` */
	uid_t user;
	gid_t group;
	unsigned max_connections; /* 0: the server's default */
};

/* An error of errno for what could not be done to a path in the data directory; see tc_cluster_judge. */
int tc_place_failed(struct tocsin_error *error, const char *verb, const char *path);
/* Finds out all paths and the user, and makes the data directory. */
int tc_place_init(struct tc_place *place, const char *data_directory, struct tocsin_error *error);
void tc_place_deinit(struct tc_place *place);
/* Gives the data directory its owner, and checks that the user can get to it. */
int tc_place_open(struct tc_place *place, struct tocsin_error *error);
/* Sets `programs`: `given`, or those of the cluster's own version, or the newest, or of PATH. */
int tc_place_find_programs(struct tc_place *place, const char *given, struct tocsin_error *error);
/* Makes the socket's directory, a short one elsewhere if the data directory's name is too long. */
int tc_place_make_socket(struct tc_place *place, struct tocsin_error *error);
/* Removes a short socket directory; leaves <data>/socket. */
void tc_place_remove_socket(struct tc_place *place);
/* Removes a directory and everything in it; true if it is gone. Follows no symbolic link. */
bool tc_place_remove_tree(const char *path);

/* A child process. */
struct tc_process {
	pid_t pid; /* 0: none */
	int pidfd; /* -1: none */
};

struct tc_process_options {
	const char *const *argv;
	const char *input; /* fed to its standard input; NULL: /dev/null */
	int output_fd;     /* its standard output and error */
	int death_signal;  /* sent to it when the thread that started it ends */
};

/* Starts argv[0] as the place's user, in its own session, in the data directory. */
int tc_process_start(const struct tc_place *place, const struct tc_process_options *options,
		     struct tc_process *ret_process, struct tocsin_error *error);
/* Runs `check` in a child that has become the place's user; its result (0..255), or -1. */
int tc_process_ask(const struct tc_place *place, int (*check)(const void *argument),
		   const void *argument);
/* Waits until it ends, at most timeout_ms (-1: for ever); reaps it. Fills ret_reason with words such
 * as "exit status 1". False when the time is over. */
bool tc_process_wait(struct tc_process *process, int timeout_ms, char *ret_reason, size_t size);

/* Makes the cluster, with database "tocsin", unless it is there. Blocks for a second or two. */
int tc_server_create(const struct tc_place *place, struct tocsin_error *error);
bool tc_server_exists(const struct tc_place *place);
/* Ends what is left of an earlier postmaster, starts one, waits until it accepts connections. Gives
 * up with TOCSIN_E_CLOSED when `stop_fd` becomes readable. */
int tc_server_start(const struct tc_place *place, int stop_fd, struct tc_process *ret_process,
		    struct tocsin_error *error);
/* Asks it to stop, harder with time, and reaps it. */
void tc_server_stop(struct tc_process *process);
/* What postmaster.pid says; the socket directory is "" where the file does not say it yet. */
struct tc_server_status {
	pid_t pid;
	bool is_ready;
	char socket[256];
};
/* False if there is no such file, or it is not whole. */
bool tc_server_read_status(const struct tc_place *place, struct tc_server_status *ret_status);
