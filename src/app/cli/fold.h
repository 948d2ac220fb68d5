/* app/cli/fold.h: names without regard to case, as the database compares them (tocsin_fold): by Unicode. */
#pragma once

#include <stdbool.h>

/* Whether two names, of valid UTF-8, are one. A sigma counts as it is written, for what it is in the database its place decides. */
bool tc_fold_is_same(const char *one, const char *other);
