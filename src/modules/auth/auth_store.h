/* modules/auth/auth_store.h: what the files of this module that query share. Private to auth/. */
#pragma once

#include "core/store.h"

/* INVALID for a page that nobody can have asked for. Fills the limit as text. */
int tc_auth_store_check_page(unsigned limit, unsigned limit_max, const char *cursor,
			     char ret_limit[static 12], struct tocsin_error *error);
/* NULL for nobody. */
static inline const char *tc_auth_store_actor(const char *actor)
{
	return actor && actor[0] ? actor : NULL;
}
