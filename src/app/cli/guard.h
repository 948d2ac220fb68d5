/* app/cli/guard.h: running a command that must not outlive a lock. */
#pragma once

#include <stdbool.h>
#include <tocsin/error.h>

/* Runs argv as a child in our process group and waits for it. SIGINT, SIGTERM, SIGHUP and SIGQUIT that
 * a process sends us are passed on (those of a terminal reach the child by themselves). When `lost_fd`
 * becomes readable the child gets SIGTERM. *ret_status is its exit status, 128 + N for signal N, or 126
 * or 127 if it cannot be run; *ret_lost whether lost_fd became readable. Blocks. */
int tc_guard_run(char *const *argv, int lost_fd, int *ret_status, bool *ret_lost,
		 struct tocsin_error *error);
