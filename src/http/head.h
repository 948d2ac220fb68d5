/* http/head.h: whether the head of a request, its first line and headers, can be served. Private to http/. */
#pragma once

#include <microhttpd.h>
#include <stddef.h>

/* Request line, headers and the window a body is read through, then the answer's headers, a connection. */
#define TC_HTTP_CONNECTION_MEMORY ((size_t)16 * 1024)

/* 0, or the status of a refusal, and in *ret_flaw why; the connection is to be closed after it. On the connection's
 * thread, before the body. */
unsigned tc_http_head_check(struct MHD_Connection *connection, const char **ret_flaw);
