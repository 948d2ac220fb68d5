/* app/cli/password.h: asking a person, or a pipe, for a password. */
#pragma once

#include <stdbool.h>
#include <tocsin/error.h>

/* Reads a password: with `from_pipe` the first line of standard input; else from the terminal, twice, without
 * showing it. INVALID where the two differ, there is none, it is not allowed, or there is no terminal.
 * On success the caller owns *ret_password: tc_password_free. Blocks. */
int tc_password_read(bool from_pipe, char **ret_password, struct tocsin_error *error);
/* Wipes and frees. NULL allowed, returns NULL. */
char *tc_password_free(char *password);
