/* base/memory.h: cleanups for what libc hands out. */
#pragma once

#include "base/macro.h"
#include <stdlib.h>
#include <unistd.h>

TC_DEFINE_CLEANUP(char *, free);

static inline void tc_close_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Moves a descriptor out of a variable, leaving -1 behind. */
static inline int tc_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* char *text, freed at the end of the scope. */
#define TC_FREE __attribute__((cleanup(free_cleanup)))
/* int fd, closed at the end of the scope unless negative. */
#define TC_CLOSE __attribute__((cleanup(tc_close_cleanup)))
