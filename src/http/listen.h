/* http/listen.h: text addresses to listening sockets, in two steps: an address can be had, or refused, long before
 * there is anybody to answer on it. */
#pragma once

#include <tocsin/error.h>

#define TC_URL_SIZE 80

/* Binds `address` ("127.0.0.1:3000", "[::1]:3000", "0.0.0.0:0") without listening: who connects is refused.
 * The caller owns *ret_fd (non-blocking). Blocks only for the name service, and only where the host is a name.
 * Errors: INVALID (no such address, not this machine's, taken, or not for us), UNAVAILABLE (the name service does
 * not answer), SYSTEM. */
int tc_bind(const char *address, int *ret_fd, struct tocsin_error *error);
/* Listens on what tc_bind made of `address`. `ret_url` is the address really bound: "http://127.0.0.1:3000".
 * Does not block. Errors: INVALID (another process listens there since), SYSTEM. */
int tc_listen(int fd, const char *address, char ret_url[static TC_URL_SIZE],
	      struct tocsin_error *error);
