/* http/listen.h: text addresses to listening sockets. */
#pragma once

#include <tocsin/error.h>

#define TC_URL_SIZE 80

/* Binds `address` ("127.0.0.1:3000", "[::1]:3000", "0.0.0.0:0") and listens; the caller owns *ret_fd
 * (non-blocking). `ret_url` is the address really bound: "http://127.0.0.1:3000". Blocks only for the
 * name service, and only where the host is a name. Errors: INVALID (no such address), SYSTEM (taken). */
int tc_listen(const char *address, int *ret_fd, char ret_url[static TC_URL_SIZE],
	      struct tocsin_error *error);
