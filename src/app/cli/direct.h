/* app/cli/direct.h: commands that go straight to the database, so that they also work where no server runs and
 * no key is known. */
#pragma once

#include "app/cli/command.h"
#include "base/buffer.h"
#include <tocsin/pool.h>

typedef int (*tc_direct_fn)(void *context, struct tocsin_pool *pool, struct tocsin_error *error);

/* Reads the settings, makes the database reachable and brings it up to date, calls `run` with a pool of one
 * connection for work, and tidies up; the exit status. Blocks. */
int tc_direct_run(const struct tc_command *command, tc_direct_fn run, void *context);

/* Who changes something by a command, for the audit trail: "cli:NAME", or "cli:UID" without one, of the system's user
 * that runs it. */
#define TC_DIRECT_ACTOR_SIZE 64 /* NUL included; as tc_caller.id */
void tc_direct_get_actor(char ret_actor[static TC_DIRECT_ACTOR_SIZE]);

/* `actor`: who does it. */
typedef int (*tc_direct_revoke_fn)(struct tocsin_pool *pool, const char *id, const char *actor,
				   struct tocsin_error *error);

/* What a command lists: its pages as the API shows them, newest first. */
struct tc_direct_list {
	/* {MEMBER: [...], "nextCursor"?}; `cursor` is what nextCursor said, NULL: from the newest. */
	int (*read_page)(struct tocsin_pool *pool, unsigned limit, const char *cursor,
			 struct tc_buffer *ret_json, struct tocsin_error *error);
	unsigned limit; /* the longest page there is */
	const char *member;
};

/* A command that lists, from its options (--json) to its exit status: every page, one after the other, as a
 * table of the columns in the command's row, or as one JSON array. Blocks. */
int tc_direct_list(const struct tc_command *command, int argc, char **argv,
		   const struct tc_direct_list *list);

/* A command that revokes what has the ID that is its one argument, from its options (none of its own) to its exit
 * status; `usage` says what is needed where there is no such argument. Blocks. */
int tc_direct_revoke(const struct tc_command *command, int argc, char **argv,
		     tc_direct_revoke_fn revoke, const char *usage);

/* What a command that makes something prints: the JSON of `about` with `secret` as its `member`, or that
 * member alone. `secret` NULL: the member is in `about`. A failure to write shows in tc_command_finish. */
int tc_direct_print_made(const struct tc_buffer *about, const char *member, const char *secret,
			 bool is_json, struct tocsin_error *error);
