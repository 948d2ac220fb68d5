/* app/direct.h: commands that go straight to the database, so that they also work where no server runs and
 * no key is known. */
#pragma once

#include "app/command.h"
#include <tocsin/pool.h>

typedef int (*tc_direct_fn)(void *context, struct tocsin_pool *pool, struct tocsin_error *error);

/* Reads the settings, makes the database reachable and brings it up to date, calls `run` with a pool of one
 * connection for work, and tidies up; the exit status. Blocks. */
int tc_direct_run(const struct tc_command *command, tc_direct_fn run, void *context);
